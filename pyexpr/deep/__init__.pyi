"""The deep models with their types; a test holds it equal to `__init__.py`."""

from pyexpr.deep.lstm import OpenFaceLSTM as OpenFaceLSTM
from pyexpr.deep.lstm_regressor import LSTMRegressor as LSTMRegressor
from pyexpr.deep.resnet3d import Video3DNet as Video3DNet
from pyexpr.deep.video_regressor import Video3DRegressor as Video3DRegressor
