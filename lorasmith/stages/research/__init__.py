"""research: what a site has for the character, before anything big is fetched."""
