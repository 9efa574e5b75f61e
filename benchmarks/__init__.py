"""Speed and memory of perpkit, each figure beside a plain C loop of the same rules."""
