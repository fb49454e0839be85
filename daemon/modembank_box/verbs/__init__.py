"""One module for each verb of ``modembank-box``: it has ``run(places, arguments)``, and its docstring is the help."""
