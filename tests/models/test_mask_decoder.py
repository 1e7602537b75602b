"""The mask decoder: attention against its definition, and answers that do not depend on other prompts."""

import torch
from litemedsam.models.mask_decoder import HEADS, WIDTH, Attention, MaskDecoder


@torch.inference_mode()
def test_attention_is_a_weighted_mean_in_every_head():
    torch.manual_seed(0)
    attention = Attention(128)
    q, k, v = (torch.randn(1, n, WIDTH) for n in (3, 7, 7))
    parts = []
    for head in range(HEADS):
        own = slice(head * 16, head * 16 + 16)
        a, b, c = (
            project(x)[0, :, own]
            for project, x in ((attention.q_proj, q), (attention.k_proj, k), (attention.v_proj, v))
        )
        parts.append(torch.softmax(a @ b.T / 16**0.5, dim=1) @ c)
    expected = attention.out_proj(torch.cat(parts, dim=1))
    torch.testing.assert_close(attention(q, k, v)[0], expected, atol=1e-5, rtol=1e-5)


@torch.inference_mode()
def test_prompts_do_not_influence_each_other():
    torch.manual_seed(0)
    decoder = MaskDecoder().eval()
    source, position, tokens = torch.randn(2, 16, WIDTH), torch.randn(16, WIDTH), torch.randn(2, 4, WIDTH)
    together = decoder.attend(source, position, tokens)
    assert [tuple(part.shape) for part in together] == [(2, 32), (2,), (2, 16, WIDTH)]
    for k in range(2):
        alone = decoder.attend(source[k : k + 1], position, tokens[k : k + 1])
        for one, both in zip(alone, together, strict=True):
            torch.testing.assert_close(one[0], both[k], atol=1e-5, rtol=1e-4)
