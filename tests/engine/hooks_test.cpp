#include "engine/hooks.h"

#include <gtest/gtest.h>

#include "support/expect_error.h"

namespace valuelens {
namespace {

Request capturing(Capture capture) {
    Request request;
    request.capture = std::move(capture);
    return request;
}

Request with(Intervention intervention) {
    Request request;
    request.intervention = std::make_shared<Intervention>(std::move(intervention));
    return request;
}

// No decode was learned from: as with an architecture whose graph names nothing that we look for.
TEST(Hooks, WhatTheGraphLacksIsAModelErrorThatNamesTheBlock) {
    const Hooks hooks(3, 4);
    for (const Request & request : {capturing({.resid_post = true}), capturing({.resid_last = true}),
                                    with({.directions = {{.layer = 2, .vector = {1, 0, 0, 0}}}})}) {
        expect_error(ErrorKind::model, {"odd.gguf", "block 0", "l_out-0", "another architecture"},
                     [&] { hooks.require(request, "odd.gguf"); });
    }
    for (const Request & request : {capturing({.mlp_post = true}), with({.neurons = {{0, 0, 0.0f}}})}) {
        expect_error(ErrorKind::model, {"odd.gguf", "block 0", "blk.0.ffn_down.weight"},
                     [&] { hooks.require(request, "odd.gguf"); });
    }
}

TEST(Hooks, PlainWorkNeedsNoNames) {
    const Hooks hooks(3, 4);
    hooks.require(Request(), "odd.gguf");
    hooks.require(capturing({.last_logits = true}), "odd.gguf");
    hooks.require(with({}), "odd.gguf");
    EXPECT_EQ(hooks.names().has_block_output, std::vector<bool>(3, false));
}

} // namespace
} // namespace valuelens
