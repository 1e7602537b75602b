"""Files that are no checkpoints are named for what they are."""

import pytest
from litemedsam.models.checkpoint import read_content

from litemedsam import LiteMedSamError


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "a Git LFS pointer .*; run git lfs pull"),
        (b"<!DOCTYPE html><html>Sign in</html>", "a web page .*; download the file itself, not its page"),
        (b"not a checkpoint", "not a PyTorch checkpoint of plain tensors"),
    ],
)
def test_a_file_that_is_no_checkpoint(tmp_path, content, words):
    (tmp_path / "a.pth").write_bytes(content)
    with pytest.raises(LiteMedSamError, match=rf"a\.pth: {words}"):
        read_content(tmp_path / "a.pth")
