"""The wheel and its metadata, the licences of the packages that it installs, and the script that releases it."""
