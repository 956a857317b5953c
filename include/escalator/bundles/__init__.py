"""Bundle files: reading the folder of bundles that campaigns choose from."""
