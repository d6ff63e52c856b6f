"""Jobs on the machines of a Ray cluster; an optional extra, and the only part that knows Ray."""
