"""Contact sheets: labels and numbers stand apart, however many frames and however long names."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from report.canvas import check_texts, shown_texts

from pyexpr.base.video_file import write_video
from pyexpr.behavior.video.clips import VideoClips
from pyexpr.behavior.video.contact_sheet import contact_sheet
from pyexpr.behavior.video.video import read_video_clips


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> VideoClips:
    folder = tmp_path_factory.mktemp("sheet")
    frames = [np.full((32, 32, 3), 2 * k % 250, np.uint8) for k in range(1030)]
    write_video(folder / "one.mp4", frames, fps=25)
    table = pd.DataFrame(
        {
            "video": str(folder / "one.mp4"),
            "start": [0, 40],
            "end": [2, 42.0],
            "subject": "A subject with a long name of forty letters",
            "context": ["Averyveryverylongunbrokennameofcontextabcdef", "pain"],
            "clip": ["1", "2"],
        }
    )
    return read_video_clips(table, frames=32, size=16, cache_dir=folder, n_jobs=1)


@pytest.mark.parametrize("columns", [1, 2, 8, 32])
def test_texts_stand_apart_and_none_is_cut(clips: VideoClips, columns: int) -> None:
    figure = contact_sheet(clips, columns=columns)
    check_texts(figure)
    message = [text.get_text() for text in shown_texts(figure)]
    assert not any("…" in text for text in message)
    assert "A subject with a long\nname of forty letters\npain 2\n40 to 42 s" in message
    # The second clip outlasts the video.
    assert "missing" in message or columns == 1
