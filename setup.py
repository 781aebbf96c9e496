"""Packaging.  The list of packages is written out because ``twisted.plugins`` is part of it.

``twisted/plugins`` is a directory that is *added* to Twisted's own plug-in package, so there must
be no ``__init__.py`` anywhere below ``twisted/``, and no tool that looks for packages finds it.
"""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["s3daemon", "s3daemon.*"]), "twisted.plugins"],
    # Said aloud, an editable install puts this directory on the path, where Twisted looks for
    # plug-ins; otherwise it installs an import hook, which Twisted does not ask.
    package_dir={"": "."},
)
