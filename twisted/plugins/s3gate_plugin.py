"""Tell twistd about ``twistd s3gate``, and s3gate about the checkers that come with it."""

from twisted.application.service import ServiceMaker

from s3daemon.auth.builtin import Sigv4Plugin, SimplePlugin
from s3daemon.checkers.http_plugin import HttpPlugin

s3gate = ServiceMaker(
    name="s3gate",
    module="s3daemon.tap",
    description="An S3 endpoint over plain files",
    tapname="s3gate",
)
sigv4 = Sigv4Plugin()
simple = SimplePlugin()
http = HttpPlugin()
