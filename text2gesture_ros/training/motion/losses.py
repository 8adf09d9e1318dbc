"""The losses of the motion model: the paper's equations 5 to 9, and further ones.

The paper writes its losses as sums. They are means here: with sums over a whole clip the threshold of
equation 10 (0.01) could not be reached.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def triplet_loss(
    embeddings: Tensor, labels: Tensor, margin: float = 0.05, groups: Tensor | None = None
) -> Tensor:
    """Return equation 5, the mean over all triplets of the batch that are not yet in order by the margin.

    Triplets in order add nothing; were they counted, they would thin out what is left to learn.

    Args:
        embeddings: (B, D).
        labels: (B,) gesture of each.
        margin: by how much nearer than the negative the positive is to be.
        groups: (B,) group of each; where given, a triplet's clips are all of one group.
    """
    distance = (embeddings[:, None] - embeddings[None]).abs().mean(dim=2)  # (B, B) mean L1
    same = labels[:, None] == labels[None]  # (B, B)
    positive = same & ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    violation = F.relu(distance[:, :, None] - distance[:, None, :] + margin)  # (B anchor, B pos, B neg)
    near = same.new_ones(same.shape) if groups is None else groups[:, None] == groups[None]  # (B, B)
    violation = violation * ((positive & near)[:, :, None] & (~same & near)[:, None, :])
    return violation.sum() / (violation > 0).sum().clamp(min=1)


def first_frame_loss(generated: Tensor, clips: Tensor) -> Tensor:
    """Return equation 6: mean absolute error of the first frame. (B, T, M), (B, T, M) -> ()."""
    return (generated[:, 0] - clips[:, 0]).abs().mean()


def motion_loss(generated: Tensor, clips: Tensor, lengths: Tensor) -> Tensor:
    """Return equation 7: mean absolute error of each clip's own frames, padding left out.

    Args:
        generated: (B, T, M).
        clips: (B, T, M).
        lengths: (B,) frames of each clip before the padding.
    """
    return _mean_over((generated - clips).abs().mean(dim=2), lengths)


def squared_loss(generated: Tensor, clips: Tensor, lengths: Tensor) -> Tensor:
    """Return the mean squared error of each clip's own frames; arguments as `motion_loss`."""
    return _mean_over((generated - clips).square().mean(dim=2), lengths)


def velocity_loss(generated: Tensor, clips: Tensor, lengths: Tensor) -> Tensor:
    """Return the mean absolute error of the change from frame to frame; arguments as `motion_loss`."""
    error = (generated.diff(dim=1) - clips.diff(dim=1)).abs().mean(dim=2)  # (B, T - 1)
    return _mean_over(error, lengths - 1)


def squared_velocity_loss(generated: Tensor, clips: Tensor, lengths: Tensor) -> Tensor:
    """Return the mean squared error of the change from frame to frame; arguments as `motion_loss`."""
    error = (generated.diff(dim=1) - clips.diff(dim=1)).square().mean(dim=2)  # (B, T - 1)
    return _mean_over(error, lengths - 1)


def acceleration_loss(generated: Tensor, clips: Tensor, lengths: Tensor) -> Tensor:
    """Return the mean absolute error of the second difference of the frames; arguments as `motion_loss`."""
    error = (generated.diff(n=2, dim=1) - clips.diff(n=2, dim=1)).abs().mean(dim=2)  # (B, T - 2)
    return _mean_over(error, lengths - 2)


def squared_acceleration_loss(generated: Tensor, clips: Tensor, lengths: Tensor) -> Tensor:
    """Return the mean squared error of the second difference of the frames; arguments as `motion_loss`."""
    error = (generated - clips).diff(n=2, dim=1).square().mean(dim=2)  # (B, T - 2)
    return _mean_over(error, lengths - 2)


def token_loss(logits: Tensor, tokens: Tensor) -> Tensor:
    """Return equation 8: mean absolute error of the stop tokens. (B, T) logits, (B, T) -> ()."""
    return (torch.sigmoid(logits) - tokens).abs().mean()


def token_cross_entropy(logits: Tensor, tokens: Tensor) -> Tensor:
    """Return the binary cross-entropy of the stop tokens, which unlike equation 8 has no flat start."""
    return F.binary_cross_entropy_with_logits(logits, tokens)


def embedding_loss(generated: Tensor, embeddings: Tensor) -> Tensor:
    """Return equation 9: mean absolute error of the embedding of the generated clip. (B, D), (B, D) -> ()."""
    return (generated - embeddings).abs().mean()


def frozen(frames: Tensor, lengths: Tensor, *, zero: bool = False) -> Tensor:
    """Return the frames with each clip's last frame repeated after its end, as in the embedder's training.

    Args:
        frames: (B, T, M).
        lengths: (B,) frames after which each clip is over.
        zero: whether clips are followed by zeros instead.
    """
    if zero:
        valid = torch.arange(frames.shape[1], device=frames.device)[None] < lengths[:, None]  # (B, T)
        return frames * valid[..., None]
    index = torch.arange(frames.shape[1], device=frames.device)[None].minimum(lengths[:, None] - 1)  # (B, T)
    return frames.gather(1, index[..., None].expand(-1, -1, frames.shape[2]))


def _mean_over(errors: Tensor, lengths: Tensor) -> Tensor:
    """Return the mean of the first `lengths` errors of each clip: (B, T), (B,) -> ()."""
    valid = torch.arange(errors.shape[1], device=errors.device)[None] < lengths[:, None]  # (B, T)
    return (errors * valid).sum() / valid.sum().clamp(min=1)
