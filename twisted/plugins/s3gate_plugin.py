"""Tell twistd about ``twistd s3gate``."""

from twisted.application.service import ServiceMaker

s3gate = ServiceMaker(
    name="s3gate",
    module="s3daemon.tap",
    description="An S3 endpoint over plain files",
    tapname="s3gate",
)
