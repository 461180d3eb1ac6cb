"""The console: desks in a browser, drawn on the server, working without scripts."""
