"""The shipped games in a browser, against the sandbox: a small platform with play money, and its page."""
