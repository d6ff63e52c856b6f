"""tag: the record of tags, and the captions written from it."""
