"""Batch norms folded into the convolutions before them: the same function of fewer layers, for inference."""

from __future__ import annotations

import copy
from itertools import pairwise
from typing import TypeVar

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

Network = TypeVar("Network", bound=nn.Module)


def folded(network: Network) -> Network:
    """A copy of `network`, in evaluation mode, without the batch norms that directly follow a convolution.

    In evaluation a batch norm scales and shifts each channel by constants, which a convolution can do itself (Jacob et
    al. 2018, section 3.2). A pair is a convolution and the batch norm registered right after it in the same module; all
    networks of this package are written so. Outputs differ by rounding only. ReLUs of the copy work in place,
    which saves memory. The network itself is left as it is.
    """
    copied = copy.deepcopy(network).eval()
    for parent in copied.modules():
        if isinstance(parent, nn.ReLU):
            parent.inplace = True
        children = list(parent.named_children())
        for (name, layer), (norm_name, norm) in pairwise(children):
            if not isinstance(norm, nn.BatchNorm2d) or not isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                continue
            if layer.out_channels == norm.num_features:
                setattr(parent, name, fuse_conv_bn_eval(layer, norm, isinstance(layer, nn.ConvTranspose2d)))  # type: ignore[type-var]
                setattr(parent, norm_name, nn.Identity())
    return copied
