"""Making a run whose record belongs in a bucket: it is looked for there first, and sent there once it is complete."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from erc_bench.errors import ErcBenchError
from erc_bench.progress import Progress
from erc_bench.records.storage import Bucket
from erc_bench.running.folder import ERROR_FILE


@contextmanager
def stored(bucket: Bucket | None, folder: Path, progress: Progress) -> Iterator[None]:
    """Inside, a run folder of the bucket's copy is made complete; its lock is held. Without a bucket nothing more happens.

    What could not be sent is kept in the copy, and sent by the next attempt. Of a run that fails, the bucket gets the file
    that says why.

    Raises
    ------
    StorageError
        The bucket cannot be read or written.
    """
    if bucket is None:
        yield
        return
    bucket.pull(folder)
    try:
        yield
    except ErcBenchError as error:
        if not (folder / ERROR_FILE).is_file():
            raise
        with suppress(ErcBenchError):  # the failure of the run is what matters
            bucket.push_error(folder / ERROR_FILE)
        raise error.restated(str(error).replace(str(folder), bucket.url_of(folder))) from error
    bucket.push(folder, progress)
