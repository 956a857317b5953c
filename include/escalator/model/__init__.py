"""The words of Escalator: frozen data, enums and errors that every other package speaks."""
