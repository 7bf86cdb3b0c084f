"""libnftables, which nft is made of: a script in, one transaction with the kernel.

A process of nft for each change of an element costs a hundred times as much. Only the child process of the writer loads it: the
library has crashed on input that it should have refused.
"""

import ctypes
from typing import Final

NAME: Final = "libnftables.so.1"
_JSON: Final = 1 << 4
"""NFT_CTX_OUTPUT_JSON of nftables/libnftables.h."""


class RefusedError(Exception):
    """The kernel or the library refused a script, in its words. Nothing of it was applied."""


class LibraryError(Exception):
    """The library is not there, or cannot be used."""


class Library:
    """A context of the library, with its socket to the kernel in the network namespace of the process that makes it."""

    def __init__(self) -> None:
        """Raises LibraryError."""
        try:
            self._library = ctypes.CDLL(NAME)
        except OSError as error:
            raise LibraryError(f"{NAME}: {error}; it is in the package libnftables1 of Debian") from None
        self._library.nft_ctx_new.restype = ctypes.c_void_p
        for name in ("nft_ctx_get_output_buffer", "nft_ctx_get_error_buffer"):
            getattr(self._library, name).restype = ctypes.c_char_p
            getattr(self._library, name).argtypes = [ctypes.c_void_p]
        for name in ("nft_ctx_buffer_output", "nft_ctx_buffer_error", "nft_ctx_free"):
            getattr(self._library, name).argtypes = [ctypes.c_void_p]
        self._library.nft_ctx_output_set_flags.argtypes = [ctypes.c_void_p, ctypes.c_uint]
        self._library.nft_run_cmd_from_buffer.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
        self._context = self._library.nft_ctx_new(0)
        if not self._context:
            raise LibraryError(f"{NAME}: gives no context")
        # Not the input: that is the language of nft.
        self._library.nft_ctx_output_set_flags(self._context, _JSON)
        # Else it prints what it has to say.
        self._library.nft_ctx_buffer_output(self._context)
        self._library.nft_ctx_buffer_error(self._context)

    def run(self, script: str) -> str:
        """Run a script, in the language of nft, as one transaction; what it lists, as JSON. Raises RefusedError."""
        failed = self._library.nft_run_cmd_from_buffer(self._context, script.encode())
        # Both buffers are emptied by the next command, not by reading them.
        if failed:
            words = self._library.nft_ctx_get_error_buffer(self._context) or b""
            raise RefusedError(words.decode("utf-8", "replace").strip() or f"status {failed}, without a word")
        listed: bytes = self._library.nft_ctx_get_output_buffer(self._context) or b""
        return listed.decode("utf-8", "replace")

    def close(self) -> None:
        """Give the library's memory and socket back."""
        self._library.nft_ctx_free(self._context)
        self._context = None
