"""The works that a report cites, as APA lists them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from pyexpr.report.markup import Child, Markup, element, joined

_DOI = "https://doi.org/"
_EMPHASIS = re.compile(r"\*([^*]+)\*")


@dataclass(frozen=True, slots=True)
class Work:
    """A work: how the text cites it, its entry (``*`` about what is in italics), its DOI."""

    authors: str
    year: str
    entry: str
    doi: str = ""

    def is_cited(self, text: str) -> bool:
        """Whether a text cites it: ``Chen, 2007`` or ``Chen (2007)``."""
        return f"{self.authors}, {self.year}" in text or f"{self.authors} ({self.year})" in text

    def markup(self) -> Markup:
        """Return the entry with its italics and a link to its DOI."""
        # Every second part stood between stars.
        parts: list[Child] = [
            element("em", part) if i % 2 else part
            for i, part in enumerate(_EMPHASIS.split(self.entry))
        ]
        if self.doi:
            parts += [" ", element("a", _DOI + self.doi, href=_DOI + self.doi)]
        return joined(*parts)


_SOFTWARE = (
    "The pyexpr authors. (n.d.). *pyexpr: Context-dependent models of human expressiveness* "
    "(Version {version}) [Computer software]."
)
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
        "Chen",
        "2007",
        "Chen, F. F. (2007). Sensitivity of goodness of fit indexes to lack of measurement "
        "invariance. *Structural Equation Modeling: A Multidisciplinary Journal*, *14*(3), "
        "464–504.",
        "10.1080/10705510701301834",
    ),
    Work(
        "Hochreiter & Schmidhuber",
        "1997",
        "Hochreiter, S., & Schmidhuber, J. (1997). Long short-term memory. *Neural Computation*, "
        "*9*(8), 1735–1780.",
        "10.1162/neco.1997.9.8.1735",
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
        "Pustejovsky & Tipton",
        "2018",
        "Pustejovsky, J. E., & Tipton, E. (2018). Small-sample methods for cluster-robust "
        "variance estimation and hypothesis testing in fixed effects models. *Journal of Business "
        "& Economic Statistics*, *36*(4), 672–683.",
        "10.1080/07350015.2016.1247004",
    ),
    Work("The pyexpr authors", "n.d.", _SOFTWARE),
    Work(
        "Rosseel",
        "2012",
        "Rosseel, Y. (2012). lavaan: An R package for structural equation modeling. *Journal of "
        "Statistical Software*, *48*(2), 1–36.",
        "10.18637/jss.v048.i02",
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


def cited(text: str, version: str) -> list[Markup]:
    """Return the entries of the works that a text cites, in their order; `version` is pyexpr's."""
    return [
        replace(one, entry=one.entry.replace("{version}", version)).markup()
        for one in _WORKS
        if one.is_cited(text)
    ]
