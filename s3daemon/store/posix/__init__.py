"""The store on disk: objects are plain files, buckets are directories."""

from s3daemon.store.posix.store import PosixStore

__all__ = ["PosixStore"]
