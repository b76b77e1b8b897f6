"""The commands of `parvis`. They speak to the operator API as any script could; the others say that they are local."""
