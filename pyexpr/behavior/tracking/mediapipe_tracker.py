"""MediaPipe's FaceLandmarker: 478 points, 52 blendshapes, and the head's pose.

The only module that imports mediapipe.
"""

from __future__ import annotations

import os
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pyexpr.base.errors import DataError, TrackerError, TrackerNotInstalledError
from pyexpr.base.messages import say
from pyexpr.base.unpacking import DAMAGED
from pyexpr.base.versions import package_version
from pyexpr.behavior.tracking.trackers import TrackedFace, Tracker

# Of the model's bundle, a zip file: the detector of points makes it one of faces.
_POINTS, _BLENDSHAPES = "face_landmarks_detector.tflite", "face_blendshapes.tflite"
_URL = (
    "https://storage.googleapis.com/mediapipe-models/face_landmarker/face_landmarker/float16/1/"
    "face_landmarker.task"
)
_MODES = ("video", "image")
_CM = 10.0
# From MediaPipe's axes (y up, z towards the camera) to those of the image (y down, z away).
_AXES = np.diag([1.0, -1.0, -1.0])


class MediaPipeTracker(Tracker):
    """MediaPipe's FaceLandmarker (Apache 2.0), with the user's own model file.

    Notes
    -----
    With one face and ``mode="video"`` MediaPipe smooths the points in time, so that steps between
    frames are smaller and later than without; it does not with ``mode="image"``, in which every
    frame is looked at for itself, nor with several faces.

    References
    ----------
    Kartynnik, Y., Ablavatski, A., Grishchenko, I., & Grundmann, M. (2019). Real-time facial
    surface geometry from monocular video on mobile GPUs. arXiv:1907.06724.
    https://doi.org/10.48550/arXiv.1907.06724
    """

    name = "mediapipe"
    points = 478
    blendshapes = (
        "_neutral", "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft",
        "browOuterUpRight", "cheekPuff", "cheekSquintLeft", "cheekSquintRight", "eyeBlinkLeft",
        "eyeBlinkRight", "eyeLookDownLeft", "eyeLookDownRight", "eyeLookInLeft", "eyeLookInRight",
        "eyeLookOutLeft", "eyeLookOutRight", "eyeLookUpLeft", "eyeLookUpRight", "eyeSquintLeft",
        "eyeSquintRight", "eyeWideLeft", "eyeWideRight", "jawForward", "jawLeft", "jawOpen",
        "jawRight", "mouthClose", "mouthDimpleLeft", "mouthDimpleRight", "mouthFrownLeft",
        "mouthFrownRight", "mouthFunnel", "mouthLeft", "mouthLowerDownLeft", "mouthLowerDownRight",
        "mouthPressLeft", "mouthPressRight", "mouthPucker", "mouthRight", "mouthRollLower",
        "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthSmileLeft",
        "mouthSmileRight", "mouthStretchLeft", "mouthStretchRight", "mouthUpperUpLeft",
        "mouthUpperUpRight", "noseSneerLeft", "noseSneerRight",
    )  # fmt: skip
    has_pose = True
    options: ClassVar[Mapping[str, Any]] = {
        "mode": "video",
        "min_face_detection_confidence": 0.5,
        "min_face_presence_confidence": 0.5,
        "min_tracking_confidence": 0.5,
    }
    units: ClassVar[Mapping[str, str]] = {
        "z_": "px, relative: zero near the middle of the head, on about the scale of x",
        "pose_T": "mm for a face of the size of MediaPipe's canonical one, in proportion to it "
        "for others; z, besides, for a camera with a vertical field of view of 63 degrees",
    }
    model_help = f"face_landmarker.task, from {_URL}"
    install = "pip install 'pyexpr-stats[track]'"

    @classmethod
    def available(cls) -> bool:
        """Return whether mediapipe is installed, without loading it."""
        return find_spec("mediapipe") is not None

    @classmethod
    def version(cls) -> str:
        """Return the version of mediapipe."""
        return package_version("mediapipe") or ""

    @classmethod
    def check_model(cls, model: Path) -> None:
        """Raise `TrackerError` if `model` is no bundle of MediaPipe with a model of faces."""
        try:
            with zipfile.ZipFile(model) as bundle:
                names = bundle.namelist()
        except DAMAGED:
            names = []
        if _POINTS in names and _BLENDSHAPES in names:
            return
        what = "is no model of MediaPipe's, or was not copied whole"
        if _POINTS in names:
            what = "is a model without blendshapes, an early one"
        elif any(name.endswith(".tflite") for name in names):
            what = "is a model of MediaPipe's, but not of its FaceLandmarker"
        raise TrackerError(
            say(
                "the model file {model!r} {what}; what is needed is {help}",
                model=str(model),
                what=what,
                help=cls.model_help,
            )
        )

    @classmethod
    def check_options(cls, options: Mapping[str, Any]) -> None:
        """Raise `DataError` for a mode that is not there, or a confidence beyond 0 to 1."""
        if options["mode"] not in _MODES:
            raise DataError(
                say("the option 'mode' must be 'video' or 'image', not {mode!r}", **options)
            )
        for name, value in options.items():
            if name.startswith("min_") and not 0 <= value <= 1:
                raise DataError(
                    say(
                        "the option {name!r} must be between 0 and 1, not {value!r}",
                        name=name,
                        value=value,
                    )
                )

    def start(self) -> None:
        """Load mediapipe and the model."""
        assert self.model is not None
        try:
            with _quiet():
                import mediapipe
        except (ImportError, OSError) as error:
            raise TrackerNotInstalledError(
                f"mediapipe cannot be loaded ({error}); run: {self.install}"
            ) from None
        self._mediapipe = mediapipe
        vision = mediapipe.tasks.vision
        mode = vision.RunningMode.VIDEO if self._follows else vision.RunningMode.IMAGE
        limits = {name: value for name, value in self.chosen.items() if name.startswith("min_")}
        try:
            settings = vision.FaceLandmarkerOptions(
                # Its bytes, because MediaPipe does not open every path that Python does.
                base_options=mediapipe.tasks.BaseOptions(
                    model_asset_buffer=self.model.read_bytes()
                ),
                running_mode=mode,
                num_faces=self.faces,
                output_face_blendshapes=True,
                output_facial_transformation_matrixes=True,
                **limits,
            )
            with _quiet():
                self._landmarker = vision.FaceLandmarker.create_from_options(settings)
        except (RuntimeError, ValueError, TypeError) as error:
            first = str(error).strip().splitlines()[0] if str(error).strip() else "no reason given"
            raise TrackerError(
                f"mediapipe {self.version()} cannot use the model {str(self.model)!r}: {first}; "
                f"what is needed is {self.model_help}"
            ) from None

    def close(self) -> None:
        """Let go of the model."""
        self._landmarker.close()

    @property
    def _follows(self) -> bool:
        return bool(self.chosen["mode"] == "video")

    def track(
        self, frames: Iterable[NDArray[np.uint8]], times: Iterable[float]
    ) -> Iterator[Sequence[TrackedFace]]:
        """Yield the faces of each frame, in MediaPipe's order."""
        stamp = -1
        for number, (picture, time) in enumerate(zip(frames, times, strict=True)):
            image = self._mediapipe.Image(
                image_format=self._mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(picture)
            )
            # Milliseconds, each of which MediaPipe takes but once.
            stamp = max(stamp + 1, round(1000 * time))
            with _quiet(number == 0):
                found = (
                    self._landmarker.detect_for_video(image, stamp)
                    if self._follows
                    else self._landmarker.detect(image)
                )
            yield self._faces(found, picture.shape[1], picture.shape[0])

    def _faces(self, found: Any, width: int, height: int) -> list[TrackedFace]:
        faces = []
        # x and z are shares of the image's width, y of its height.
        scale = np.array([width, height, width], dtype=np.float64)
        for points, shapes, matrix in zip(
            found.face_landmarks,
            found.face_blendshapes,
            found.facial_transformation_matrixes,
            strict=True,
        ):
            names = tuple(shape.category_name for shape in shapes)
            if names != self.blendshapes:
                raise TrackerError(
                    f"mediapipe {self.version()} with the model {str(self.model)!r} gives other "
                    f"blendshapes than are known here; what is needed is {self.model_help}"
                )
            faces.append(
                TrackedFace(
                    points=np.array([[p.x, p.y, p.z] for p in points], dtype=np.float64) * scale,
                    blendshapes=np.array([shape.score for shape in shapes], dtype=np.float64),
                    pose=pose_of(np.asarray(matrix, dtype=np.float64)),
                )
            )
        return faces


def pose_of(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return position (mm) and rotation (radians) of a head from MediaPipe's matrix.

    Parameters
    ----------
    matrix : (4, 4) float64
        Brings the canonical face (cm; x to the right, y up, z towards the camera, as seen in the
        image) to where it is before a camera at the origin.

    Returns
    -------
    (6,) float64
        x, y, z in mm, and the angles about these axes, all with x to the right, y down and z away
        from the camera, as in OpenFace's files: the rotation is ``R(x) R(y) R(z)``.

    Examples
    --------
    >>> import numpy as np
    >>> matrix = np.eye(4)
    >>> matrix[:3, 3] = [1, 2, -50]  # 1 cm to the right, 2 cm up, half a metre away
    >>> (pose_of(matrix) + 0.0).tolist()
    [10.0, -20.0, 500.0, 0.0, 0.0, 0.0]
    """
    position = _CM * (_AXES @ matrix[:3, 3])
    turn = _AXES @ matrix[:3, :3] @ _AXES
    angles = (
        np.arctan2(-turn[1, 2], turn[2, 2]),
        np.arcsin(np.clip(turn[0, 2], -1.0, 1.0)),
        np.arctan2(-turn[0, 1], turn[0, 0]),
    )
    return np.array([*position, *angles], dtype=np.float64)


@contextmanager
def _quiet(quiet: bool = True) -> Iterator[None]:
    """Keep from the terminal what MediaPipe's C++ says of itself when a model is first used."""
    if not quiet:
        yield
        return
    sys.stderr.flush()
    try:
        before = os.dup(2)
    except OSError:
        # There is no standard error.
        yield
        return
    with tempfile.TemporaryFile() as output:
        os.dup2(output.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(before, 2)
            os.close(before)
