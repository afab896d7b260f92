#include "engine/kept_prefixes.h"

#include <gtest/gtest.h>

#include <numeric>

namespace valuelens {
namespace {

std::shared_ptr<const Intervention> addition(TokenScope tokens) {
    auto intervention = std::make_shared<Intervention>();
    intervention->directions.push_back({0, {1.0f}, 1.0f, SteerMode::add, tokens});
    return intervention;
}

Request request_of(std::vector<Token> prompt, std::shared_ptr<const Intervention> intervention = nullptr) {
    Request request;
    request.prompt = std::move(prompt);
    request.intervention = std::move(intervention);
    return request;
}

std::vector<Token> count_to(Token n) {
    std::vector<Token> tokens(static_cast<std::size_t>(n));
    std::iota(tokens.begin(), tokens.end(), 0);
    return tokens;
}

// A slot whose prompt is in the cache up to `fed`.
Slot reading(const Request & request, const Model::Impl & model, std::size_t fed) {
    Slot slot(0, 7, request, model, 0, 0);
    slot.start_at(fed);
    return slot;
}

TEST(UsablePrefix, EndsBeforeThePromptsLastTokenAndWhereTokensDiffer) {
    const CachedTokens cached{{1, 2, 3, 4}, 4, nullptr};
    EXPECT_EQ(usable_prefix(cached, request_of({1, 2, 3, 4})), 3u);
    EXPECT_EQ(usable_prefix(cached, request_of({1, 2, 9, 4, 5})), 2u);
    EXPECT_EQ(usable_prefix(cached, request_of({1, 2, 3, 4, 5, 6})), 4u);
    EXPECT_EQ(usable_prefix(cached, request_of({8})), 0u);
}

TEST(UsablePrefix, ASteeredCacheServesOnlyTheSameSteering) {
    const auto all = addition(TokenScope::all);
    const CachedTokens steered{{1, 2, 3, 4}, 2, all};
    EXPECT_EQ(usable_prefix(steered, request_of({1, 2, 3, 4, 5})), 0u);
    EXPECT_EQ(usable_prefix(steered, request_of({1, 2, 3, 4, 5}, addition(TokenScope::all))), 0u);
    EXPECT_EQ(usable_prefix(steered, request_of({1, 2, 3, 4, 5}, all)), 4u);
    EXPECT_EQ(usable_prefix({{1, 2, 3, 4}, 2, nullptr}, request_of({1, 2, 3, 4, 5}, all)), 0u);
}

TEST(UsablePrefix, AResponseThatWasSteeredAsOneIsNoPromptOfTheNextTurn) {
    const auto response = addition(TokenScope::response);
    const CachedTokens cached{{1, 2, 3, 4}, 2, response};
    EXPECT_EQ(usable_prefix(cached, request_of({1, 2, 3, 4, 5}, response)), 2u);
    // Both leave a prompt alone, so its tokens are the same to the model.
    EXPECT_EQ(usable_prefix(cached, request_of({1, 2, 3, 4, 5})), 2u);
    EXPECT_EQ(usable_prefix({{1, 2, 3, 4}, 2, nullptr}, request_of({1, 2, 3, 4, 5}, response)), 2u);
}

class Plan : public testing::Test {
protected:
    Plan() : slots(4), kept(4, true) {}

    Model::Impl model;
    std::vector<std::optional<Slot>> slots;
    KeptPrefixes kept;
    Request long_prompt = request_of(count_to(60));
};

TEST_F(Plan, GoesOnWhereTheConversationEnded) {
    kept.keep(0, {{5, 6, 7, 8, 9}, 5, nullptr});
    kept.keep(2, {count_to(40), 30, nullptr});
    const auto plan = kept.plan(long_prompt, slots);
    ASSERT_TRUE(plan);
    EXPECT_EQ(plan->place, 2u);
    EXPECT_EQ(plan->length, 40u);
    EXPECT_FALSE(plan->copy_from);
}

TEST_F(Plan, CopiesFromANeighbourInFlight) {
    slots[1].emplace(reading(long_prompt, model, 60));
    const auto plan = kept.plan(long_prompt, slots);
    ASSERT_TRUE(plan);
    EXPECT_EQ(plan->place, 0u);
    EXPECT_EQ(plan->length, 59u);
    EXPECT_EQ(plan->copy_from, 1u);
}

TEST_F(Plan, WaitsForANeighbourThatIsReadingTheSamePrompt) {
    slots[1].emplace(reading(long_prompt, model, 10));
    EXPECT_FALSE(kept.plan(long_prompt, slots));
    const Request steered = request_of(count_to(60), addition(TokenScope::all));
    const auto plan = kept.plan(steered, slots);
    ASSERT_TRUE(plan) << "another steering shares nothing and has nothing to wait for";
    EXPECT_EQ(plan->length, 0u);
}

TEST_F(Plan, TakesTheOldestCacheWhereNothingFits) {
    for (const std::size_t place : {2u, 0u, 3u, 1u}) {
        kept.keep(place, {{50, 51, 52, 53, 54, 55}, 6, nullptr});
    }
    const auto plan = kept.plan(long_prompt, slots);
    ASSERT_TRUE(plan);
    EXPECT_EQ(plan->place, 2u);
    EXPECT_EQ(plan->length, 0u);
}

TEST_F(Plan, NothingWithoutAFreePlaceAndNoReuseOfARecurrentState) {
    KeptPrefixes recurrent(4, false);
    slots[0].emplace(reading(long_prompt, model, 60));
    EXPECT_EQ(recurrent.plan(long_prompt, slots)->length, 0u);
    for (auto & slot : slots) {
        slot.emplace(reading(long_prompt, model, 60));
    }
    EXPECT_FALSE(kept.plan(long_prompt, slots));
}

} // namespace
} // namespace valuelens
