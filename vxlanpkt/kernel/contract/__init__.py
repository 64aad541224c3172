"""What callers and kernels hand each other for bulk work: rules, columns, and the codes in them.

Plain numbers and bytes, so that a kernel in C can hold the same in structs.
"""

CONTRACT = 0x589E8D3C  # stands for csrc/contract.h: an extension with another number was built from other declarations
