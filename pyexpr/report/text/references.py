"""The works that a report cites, in APA style."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

_DOI = "https://doi.org/"
_EMPHASIS = re.compile(r"\*([^*]+)\*")


@dataclass(frozen=True, slots=True)
class Work:
    """A work: how the text cites it, its entry (``*`` about what is in italics), its DOI.

    `url` is where a work without a DOI is found.
    """

    authors: str
    year: str
    entry: str
    doi: str = ""
    url: str = ""

    def is_cited(self, text: str) -> bool:
        """Whether a text cites it: ``Chen, 2007`` or ``Chen (2007)``."""
        return f"{self.authors}, {self.year}" in text or f"{self.authors} ({self.year})" in text

    def parts(self) -> list[tuple[str, bool]]:
        """Return the parts of the entry, each with whether it is in italics."""
        # Every second part was between stars.
        return [(part, i % 2 == 1) for i, part in enumerate(_EMPHASIS.split(self.entry))]

    @property
    def address(self) -> str:
        """The address of the work: its DOI, or its page; "" if it has neither."""
        return f"{_DOI}{self.doi}" if self.doi else self.url


#: When this version of the package was made: what its reference in a report says.
YEAR = "2026"
_SOFTWARE = (
    f"The pyexpr authors. ({YEAR}). *pyexpr: Context-dependent models of human expressiveness* "
    "(Version {version}) [Computer software]."
)
# Works that the methods section cites, in the style of APA's seventh edition.
_WORKS = (
    Work(
        "Baltrušaitis et al.",
        "2018",
        "Baltrušaitis, T., Zadeh, A., Lim, Y. C., & Morency, L.-P. (2018). OpenFace 2.0: Facial "
        "behavior analysis toolkit. In *2018 13th IEEE International Conference on Automatic Face "
        "& Gesture Recognition (FG 2018)* (pp. 59–66). IEEE.",
        "10.1109/FG.2018.00019",
    ),
    Work(
        "Bartlett",
        "1937",
        "Bartlett, M. S. (1937). The statistical conception of mental factors. *British Journal of "
        "Psychology*, *28*(1), 97–104.",
        "10.1111/j.2044-8295.1937.tb00863.x",
    ),
    Work(
        "Chen",
        "2007",
        "Chen, F. F. (2007). Sensitivity of goodness of fit indexes to lack of measurement "
        "invariance. *Structural Equation Modeling: A Multidisciplinary Journal*, *14*(3), "
        "464–504.",
        "10.1080/10705510701301834",
    ),
    Work(
        "Davison & Hinkley",
        "1997",
        "Davison, A. C., & Hinkley, D. V. (1997). *Bootstrap methods and their application*. "
        "Cambridge University Press.",
        "10.1017/CBO9780511802843",
    ),
    Work(
        "Field & Welsh",
        "2007",
        "Field, C. A., & Welsh, A. H. (2007). Bootstrapping clustered data. *Journal of the Royal "
        "Statistical Society: Series B (Statistical Methodology)*, *69*(3), 369–390.",
        "10.1111/j.1467-9868.2007.00593.x",
    ),
    Work(
        "Gelman & Hill",
        "2007",
        "Gelman, A., & Hill, J. (2007). *Data analysis using regression and "
        "multilevel/hierarchical models*. Cambridge University Press.",
        "10.1017/CBO9780511790942",
    ),
    Work(
        "Hochreiter & Schmidhuber",
        "1997",
        "Hochreiter, S., & Schmidhuber, J. (1997). Long short-term memory. *Neural Computation*, "
        "*9*(8), 1735–1780.",
        "10.1162/neco.1997.9.8.1735",
    ),
    Work(
        "Holm",
        "1979",
        "Holm, S. (1979). A simple sequentially rejective multiple test procedure. *Scandinavian "
        "Journal of Statistics*, *6*(2), 65–70.",
        url="https://www.jstor.org/stable/4615733",
    ),
    Work(
        "Iyer et al.",
        "2004",
        "Iyer, H. K., Wang, C. M. J., & Mathew, T. (2004). Models and confidence intervals for "
        "true values in interlaboratory trials. *Journal of the American Statistical "
        "Association*, *99*(468), 1060–1071.",
        "10.1198/016214504000001682",
    ),
    Work(
        "Lin et al.",
        "2020",
        "Lin, V., Girard, J. M., & Morency, L.-P. (2020). Context-dependent models for predicting "
        "and characterizing facial expressiveness. In *Proceedings of the 3rd Workshop on "
        "Affective Content Analysis (AffCon 2020)* (CEUR Workshop Proceedings Vol. 2614).",
        "10.48550/arXiv.1912.04523",
    ),
    Work(
        "McGraw & Wong",
        "1996",
        "McGraw, K. O., & Wong, S. P. (1996). Forming inferences about some intraclass "
        "correlation coefficients. *Psychological Methods*, *1*(1), 30–46.",
        "10.1037/1082-989X.1.1.30",
    ),
    Work(
        "Pedregosa et al.",
        "2011",
        "Pedregosa, F., Varoquaux, G., Gramfort, A., Michel, V., Thirion, B., Grisel, O., Blondel, "
        "M., Prettenhofer, P., Weiss, R., Dubourg, V., Vanderplas, J., Passos, A., Cournapeau, D., "
        "Brucher, M., Perrot, M., & Duchesnay, É. (2011). Scikit-learn: Machine learning in "
        "Python. *Journal of Machine Learning Research*, *12*, 2825–2830.",
        url="https://jmlr.org/papers/v12/pedregosa11a.html",
    ),
    Work(
        "Pustejovsky & Tipton",
        "2018",
        "Pustejovsky, J. E., & Tipton, E. (2018). Small-sample methods for cluster-robust "
        "variance estimation and hypothesis testing in fixed effects models. *Journal of Business "
        "& Economic Statistics*, *36*(4), 672–683.",
        "10.1080/07350015.2016.1247004",
    ),
    Work("The pyexpr authors", YEAR, _SOFTWARE),
    Work(
        "Rosseel",
        "2012",
        "Rosseel, Y. (2012). lavaan: An R package for structural equation modeling. *Journal of "
        "Statistical Software*, *48*(2), 1–36.",
        "10.18637/jss.v048.i02",
    ),
    Work(
        "Spearman",
        "1904",
        "Spearman, C. (1904). The proof and measurement of association between two things. *The "
        "American Journal of Psychology*, *15*(1), 72–101.",
        "10.2307/1412159",
    ),
    Work(
        "Tran et al.",
        "2018",
        "Tran, D., Wang, H., Torresani, L., Ray, J., LeCun, Y., & Paluri, M. (2018). A closer look "
        "at spatiotemporal convolutions for action recognition. In *2018 IEEE/CVF Conference on "
        "Computer Vision and Pattern Recognition* (pp. 6450–6459). IEEE.",
        "10.1109/CVPR.2018.00675",
    ),
    Work(
        "van de Geer et al.",
        "2014",
        "van de Geer, S., Bühlmann, P., Ritov, Y., & Dezeure, R. (2014). On asymptotically optimal "
        "confidence regions and tests for high-dimensional models. *The Annals of Statistics*, "
        "*42*(3), 1166–1202.",
        "10.1214/14-AOS1221",
    ),
    Work(
        "Zou & Hastie",
        "2005",
        "Zou, H., & Hastie, T. (2005). Regularization and variable selection via the elastic net. "
        "*Journal of the Royal Statistical Society: Series B (Statistical Methodology)*, *67*(2), "
        "301–320.",
        "10.1111/j.1467-9868.2005.00503.x",
    ),
)


def cited(text: str, version: str) -> tuple[Work, ...]:
    """Return the works that a text cites, in their order; `version` is pyexpr's."""
    return tuple(
        replace(one, entry=one.entry.replace("{version}", version))
        for one in _WORKS
        if one.is_cited(text)
    )
