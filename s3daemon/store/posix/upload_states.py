"""The uploads of a bucket for its listing, without reading again what cannot have changed.

Each page of ListMultipartUploads is cut from all uploads of the bucket, in the order of their keys,
which only their states have.  The state of an upload is written once, under another name, and
renamed, so what was read of a file holds for as long as that file is there.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from threading import Lock

from s3daemon.store.interfaces import NoSuchUpload, UploadInfo
from s3daemon.store.posix.upload_names import SEALED, STATE, path_of
from s3daemon.store.posix.upload_state import open_upload
from s3daemon.store.posix.volume import Bucket

#: Bytes of states that are remembered.
_MOST_BYTES = 8 * 1024 * 1024

_Identity = tuple[int, int, int, int, int]


class UploadStates:
    """Remembers the states that were read last; for any thread.

    :param most_bytes: of these, as they are on disk.
    """

    def __init__(self, most_bytes: int = _MOST_BYTES) -> None:
        self._left = most_bytes
        self._lock = Lock()
        self._known: OrderedDict[_Identity, UploadInfo] = OrderedDict()

    def of(self, bucket: Bucket, upload_id: str) -> UploadInfo | None:
        """An upload of a bucket; None where it has been completed and is not removed yet.

        :raises NoSuchUpload, Corrupt: see :meth:`UploadDir.info`.
        :raises OSError:
        """
        path = path_of(upload_id)
        try:
            st = os.stat(path + b"/" + STATE, dir_fd=bucket.fd, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError) as exc:
            raise NoSuchUpload(upload_id) from exc
        identity = st.st_dev, st.st_ino, st.st_size, st.st_mtime_ns, st.st_ctime_ns
        with self._lock:
            known = self._known.get(identity)
            if known is not None:
                self._known.move_to_end(identity)
        if known is not None and known.upload_id == upload_id and not _is_sealed(bucket, path):
            return known
        with open_upload(bucket, upload_id) as upload:
            if upload.was_published():
                return None
            info = upload.info()
        self._remember(identity, info)
        return info

    def _remember(self, identity: _Identity, info: UploadInfo) -> None:
        with self._lock:
            if identity not in self._known:
                self._left -= identity[2]
            self._known[identity] = info
            while self._left < 0:
                dropped, _ = self._known.popitem(last=False)
                self._left += dropped[2]


def _is_sealed(bucket: Bucket, path: bytes) -> bool:
    try:
        os.stat(path + b"/" + SEALED, dir_fd=bucket.fd, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True
