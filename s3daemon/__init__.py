"""s3gate: an S3 endpoint over plain files."""

__version__ = "0.1.0.dev0"
