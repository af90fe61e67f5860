"""What earmark costs, beside its peers on the same clips in one run: `make bench`.

__main__.py   the command: runs everything, prints the table, writes RESULTS.md
install.py    the peers' own environment, from requirements.txt
peers/        one file for each peer: how a training loop would log a validation with it
clips.py      what all of them log
side_by_side  rounds of all peers in turn, each in a process of its own (worker.py, isolated.py)
loop.py       a training loop with and without earmark
memory.py     what a burst of large clips takes
startup.py    what importing it takes
scale.py      what large runs take to read; synthetic.py makes them
figures.py    the design's figures as ratios; report.py renders them
"""
