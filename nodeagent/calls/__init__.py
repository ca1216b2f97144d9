"""The FlexVolume calls, one module each, named as kubelet names them."""
