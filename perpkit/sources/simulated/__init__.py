"""Markets made up from a seed: perps and books, tokens, T-bills, dividends, and scenarios.

`world.make_world` draws, `world.make_tables` forms the tables, `output.simulate` writes a dataset;
``perpkit data simulate`` is the command. Every number is in ``calibration.toml`` with its source;
``python -m perpkit.sources.simulated.demo`` makes the shipped demo again.
"""
