"""The kernels agree: the C kernel gives what the Python kernel gives, byte for byte."""
