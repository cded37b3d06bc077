"""Every bound of rendering, in one place; the documentation's table of limits is this file."""

# What a source may be.
SOURCE = 256_000  # characters of one text of a template, and of what MJML makes of it four times as many
COMPILED = 4 * SOURCE
TAGS = 4_000  # {{ ... }} and {% ... %} in one text
NODES = 20_000  # parts of its syntax tree
DEPTH = 16  # blocks inside blocks; the interpreter itself gives up at 20 loops
EXPRESSION_DEPTH = 40  # brackets inside brackets

# What one rendering of one text may cost.
OUTPUT = 1_000_000  # characters
TURNS = 10_000  # of all its loops together
WORK = 10_000_000  # characters that filters and joins read and write
CPU_SECONDS = 1.0

# What a child may cost.
MEMORY = 512_000_000  # bytes of address space
INSPECTION_SECONDS = 3.0  # CPU, for all texts of a template
RENDERINGS = 50_000  # after that many it is replaced
SCRIPTS = 500  # it knows
SCRIPT_CHARACTERS = 16_000_000  # of the sources of those
CODE = 128_000_000  # bytes of the compiled ones it keeps; the rest of its memory is for values

# How much the child of those who met a bound stands behind everybody else.
LOWEST = 19

# What crosses the pipe at once.
BATCH = 100  # renderings
BATCH_CHARACTERS = 4_000_000  # of variables

# What a file descriptor table of a child may hold: its pipes, and one file at a time.
OPEN_FILES = 16
