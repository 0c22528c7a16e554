"""The public names with their types; a test holds it equal to `__init__.py`."""

from pyexpr import deep as deep
from pyexpr.base import errors as errors
from pyexpr.base.joining import join as join
from pyexpr.base.saved import load as load
from pyexpr.behavior import schedules as schedules
from pyexpr.behavior.features.features import extract_features as extract_features
from pyexpr.behavior.features.result import FeatureResult as FeatureResult
from pyexpr.behavior.features.series import MovementSeries as MovementSeries
from pyexpr.behavior.features.series import movement_series as movement_series
from pyexpr.behavior.features.synchrony import SynchronyResult as SynchronyResult
from pyexpr.behavior.features.synchrony import synchrony as synchrony
from pyexpr.behavior.openface.recording import OpenFaceRecording as OpenFaceRecording
from pyexpr.behavior.openface_files import describe_openface as describe_openface
from pyexpr.behavior.openface_files import read_openface as read_openface
from pyexpr.behavior.schedules import Schedule as Schedule
from pyexpr.behavior.schedules import Segment as Segment
from pyexpr.behavior.tracking.points_file import track_provenance as track_provenance
from pyexpr.behavior.tracking.result import TrackedVideos as TrackedVideos
from pyexpr.behavior.tracking.track import track_videos as track_videos
from pyexpr.behavior.tracking.trackers import TrackedFace as TrackedFace
from pyexpr.behavior.tracking.trackers import Tracker as Tracker
from pyexpr.behavior.tracks.describe import describe_tracks as describe_tracks
from pyexpr.behavior.tracks.reading import read_tracks as read_tracks
from pyexpr.behavior.video.clips import VideoClips as VideoClips
from pyexpr.behavior.video.contact_sheet import contact_sheet as contact_sheet
from pyexpr.behavior.video.video import describe_video as describe_video
from pyexpr.behavior.video.video import read_video_clips as read_video_clips
from pyexpr.diagnosis import doctor as doctor
from pyexpr.figures.learning import learning_figure as learning_figure
from pyexpr.inference.bootstrap.bootstrap import BootstrapResult as BootstrapResult
from pyexpr.inference.bootstrap.bootstrap import cluster_bootstrap as cluster_bootstrap
from pyexpr.inference.ceiling.ceiling import rating_ceiling as rating_ceiling
from pyexpr.inference.ceiling.result import CeilingResult as CeilingResult
from pyexpr.inference.coefficients.coefficients import CoefficientResult as CoefficientResult
from pyexpr.inference.coefficients.coefficients import context_coefficients as context_coefficients
from pyexpr.inference.comparison.comparison import compare_models as compare_models
from pyexpr.inference.comparison.predictions import Predictions as Predictions
from pyexpr.inference.comparison.result import ComparisonResult as ComparisonResult
from pyexpr.inference.comparison.sign_flip import SignFlipResult as SignFlipResult
from pyexpr.measurement.agreement.agreement import agreement as agreement
from pyexpr.measurement.agreement.result import AgreementResult as AgreementResult
from pyexpr.measurement.components.d_study import DesignStudyResult as DesignStudyResult
from pyexpr.measurement.components.result import (
    VarianceComponentsResult as VarianceComponentsResult,
)
from pyexpr.measurement.components.variance_components import (
    variance_components as variance_components,
)
from pyexpr.measurement.factor.bootstrap import bootstrap_cfa as bootstrap_cfa
from pyexpr.measurement.factor.bootstrap_result import CFABootstrapResult as CFABootstrapResult
from pyexpr.measurement.factor.cfa import cfa as cfa
from pyexpr.measurement.factor.cfa_result import CFAResult as CFAResult
from pyexpr.measurement.icc.design import choose_icc as choose_icc
from pyexpr.measurement.icc.design import d_study as d_study
from pyexpr.measurement.icc.icc import icc as icc
from pyexpr.measurement.icc.intervals import icc_interval as icc_interval
from pyexpr.measurement.icc.result import ICCResult as ICCResult
from pyexpr.measurement.invariance.invariance import invariance as invariance
from pyexpr.measurement.invariance.result import InvarianceResult as InvarianceResult
from pyexpr.measurement.multilevel.multilevel_icc import multilevel_icc as multilevel_icc
from pyexpr.measurement.multilevel.result import MultilevelICCResult as MultilevelICCResult
from pyexpr.measurement.raters.diagnostics import rater_diagnostics as rater_diagnostics
from pyexpr.measurement.raters.result import RaterDiagnosticsResult as RaterDiagnosticsResult
from pyexpr.measurement.traces.reliability import trace_reliability as trace_reliability
from pyexpr.measurement.traces.result import TraceReliabilityResult as TraceReliabilityResult
from pyexpr.modeling.baselines import HumanBaseline as HumanBaseline
from pyexpr.modeling.baselines import human_baseline as human_baseline
from pyexpr.modeling.baselines import normal_baseline as normal_baseline
from pyexpr.modeling.baselines import uniform_baseline as uniform_baseline
from pyexpr.modeling.contextual import ContextualRegressor as ContextualRegressor
from pyexpr.modeling.elastic_net import ElasticNetRegressor as ElasticNetRegressor
from pyexpr.modeling.elastic_net_classifier import ElasticNetClassifier as ElasticNetClassifier
from pyexpr.modeling.fitting.final import FinalModels as FinalModels
from pyexpr.modeling.fitting.fit_models import fit_models as fit_models
from pyexpr.modeling.fitting.procedure_result import ProcedureResult as ProcedureResult
from pyexpr.modeling.fitting.result import ModelsResult as ModelsResult
from pyexpr.modeling.fitting.specs import ModelSpec as ModelSpec
from pyexpr.modeling.splits import SubjectSplit as SubjectSplit
from pyexpr.modeling.splits import split_subjects as split_subjects
from pyexpr.modeling.splits import subject_folds as subject_folds
from pyexpr.paper.reproduce import PaperResult as PaperResult
from pyexpr.paper.reproduce import reproduce_paper as reproduce_paper
from pyexpr.planning.plan_study import plan_study as plan_study
from pyexpr.planning.result import PlanResult as PlanResult
from pyexpr.simulation.simulate import simulate_study as simulate_study
from pyexpr.study.check.page import CheckResult as CheckResult
from pyexpr.study.check_study import check_study as check_study
from pyexpr.study.init.init_study import InitResult as InitResult
from pyexpr.study.init.init_study import init_study as init_study
from pyexpr.study.pipeline import Study as Study
from pyexpr.study.results.report import study_report as study_report
from pyexpr.study.results.result import OutcomesResult as OutcomesResult
from pyexpr.study.results.result import StudyResult as StudyResult

__version__: str
