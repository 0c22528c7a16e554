# Videos through a tracker of one's own, as mediapipe and its model are not there.

spot <- '
import numpy as np
import pyexpr as px

class BrightSpot(px.Tracker):
    name, points = "bright-spot", 1
    options = {"least": 128}

    def track(self, frames, times):
        for picture, _ in zip(frames, times):
            y, x = np.nonzero(picture[:, :, 0] > self.chosen["least"])
            yield [px.TrackedFace(np.array([[x.mean(), y.mean(), 0.0]]))] if len(x) else []
'

test_that("the points of videos are written, and what was lost is said", {
  need_python()
  folder <- tempfile("spots")
  dir.create(folder)
  writeLines(spot, file.path(folder, "spot_for_r.py"))
  python(sprintf("
import sys
import numpy as np
from pyexpr.base.video_file import write_video
sys.path.insert(0, %s)
for name, light in (('s01', 255), ('s02', 0)):
    write_video(%s + '/' + name + '.mp4', [np.full((16, 16, 3), light, np.uint8)] * 4, fps=25)
", deparse(folder), deparse(folder)))
  writeLines("no video", file.path(folder, "s03.mp4"))
  output <- file.path(folder, "points")
  found <- track_videos(folder, output, "spot_for_r:BrightSpot", options = list(least = 100),
    on_error = "skip", n_jobs = 1)
  expect_identical(tidy(found)$status, c("tracked", "tracked"))
  expect_equal(tidy(found)$frames_with_face, c(4, 0))
  expect_identical(basename(tidy(found, "dropped")$video), "s03.mp4")
  expect_match(tidy(found, "dropped")$reason, "is not a video")
  expect_true(all(file.exists(tidy(found)$output)))
  expect_match(found$heading, "Points of 2 videos by bright-spot: a face in 4 of 8 frames")
  expect_match(found$notes[1], "1 video shows no face")
  expect_match(found$notes[2], "the table `dropped` says why")
  expect_identical(found$provenance$options$least, 100L)
  again <- track_videos(folder, output, "spot_for_r:BrightSpot", options = list(least = 100),
    on_error = "skip", n_jobs = 1)
  expect_identical(tidy(again)$status, c("kept", "kept"))
  expect_error(track_videos(folder, output, "spot_for_r:BrightSpot", on_error = "skip", n_jobs = 1),
    "`overwrite = TRUE`", fixed = TRUE, class = "pyexpr_output_error")
  expect_error(track_videos(folder, output, "openface"),
    "there is no tracker 'openface', but 'mediapipe'", fixed = TRUE, class = "pyexpr_data_error")
})
