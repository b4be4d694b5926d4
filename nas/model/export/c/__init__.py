"""A network as C99 that needs nothing but stdint.h: written, compiled, run, compared, then kept."""
