"""How fast the program is, how much memory it takes, and how right it is under load and on videos."""
