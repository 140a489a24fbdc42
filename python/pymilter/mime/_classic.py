"""The names under which programs for pymilter 1.0.5 ask a message what is in it."""

from __future__ import annotations

from typing import IO, Any, cast

from ._names import part_names
from ._source import SourceMessage
from ._zip import zipnames


class ClassicNames(SourceMessage):
    """A message that answers to the methods of pymilter 1.0.5. None of them changes anything."""

    def getheaders(self, name: str, failobj: Any = None) -> Any:
        """Return the values of all headers of that name, or `failobj`."""
        return self.get_all(name, failobj)

    def gettype(self) -> str:
        """Return the content type in lower case."""
        return self.get_content_type()

    def getencoding(self) -> str | None:
        """Return the Content-Transfer-Encoding header, or None."""
        return self.get("content-transfer-encoding", None)

    def ismultipart(self) -> bool:
        """Return whether there are parts."""
        return self.is_multipart()

    def getfilename(self, failobj: Any = None) -> Any:
        """Return the file name, or `failobj`."""
        return self.get_filename(failobj)

    def getparam(self, param: str, failobj: Any = None, header: str = "content-type", unquote: bool = True) -> Any:
        """Return a parameter of a header, or `failobj`."""
        return self.get_param(param, failobj, header, unquote)

    def getparams(self) -> list[tuple[str, Any]]:
        """Return the parameters of Content-Type, the type itself first."""
        return cast("list[tuple[str, Any]]", self.get_params([]))

    def getname(self) -> str | None:
        """Return the name parameter of Content-Type, or None."""
        return next((value for key, value in self.getnames() if key == "name"), None)

    def has_too_many_names(self) -> bool:
        """Return whether a header has so many file names for the part that not all of them are read."""
        return part_names(self).too_many

    def getnames(self, scan_zip: bool = False) -> list[tuple[str, str | None]]:
        """Return everything that may be the file name of the part, as pairs of a parameter and its value.

        These are all parameters of Content-Type, then ("filename", get_filename()), then other readings of the name.

        Args:
            scan_zip: add ("zipname", NAME) for each file in a zip file, and in the zip files inside it.

        Raises:
            ZipUnreadableError: the zip file cannot be read; this is a zipfile.BadZipFile.
        """
        names = part_names(self)
        if scan_zip and names.is_zip:
            content = self.get_payload(decode=True)
            if content:
                return [*names.pairs, *zipnames(content)]
        return list(names.pairs)

    def get_payload_decoded(self) -> Any:
        """Return the payload's decoded bytes; None if there are parts."""
        return self.get_payload(decode=True)

    def decode(self, filt: IO[bytes]) -> str | None:
        """Write the payload's decoded bytes to `filt`, and return the Content-Transfer-Encoding header."""
        content = self.get_payload(decode=True)
        if content is not None:
            filt.write(content)
        return self.getencoding()

    def get_submsg(self) -> list[Any] | None:
        """Return the list of parts, for a message/rfc822 the message in it; None if there are no parts."""
        return self.get_payload() if self.is_multipart() else None

    @property
    def submsg(self) -> list[Any] | None:
        """The same as `get_submsg()`."""
        return self.get_submsg()
