#include "engine/prefix_groups.h"

#include <gtest/gtest.h>

#include <numeric>

namespace valuelens {
namespace {

Request generate(std::vector<Token> prompt) {
    Request request;
    request.prompt = std::move(prompt);
    return request;
}

Request read(std::vector<Token> prompt, std::vector<Token> response, Capture capture) {
    Request request;
    request.kind = RequestKind::continue_;
    request.prompt = std::move(prompt);
    request.response = std::move(response);
    request.capture = std::move(capture);
    return request;
}

std::shared_ptr<const Intervention> direction(TokenScope tokens) {
    Intervention intervention;
    intervention.directions.push_back({.layer = 0, .vector = {1}, .tokens = tokens});
    return std::make_shared<Intervention>(std::move(intervention));
}

std::shared_ptr<const Intervention> neuron() {
    Intervention intervention;
    intervention.neurons.push_back({0, 0, 0.0f});
    return std::make_shared<Intervention>(std::move(intervention));
}

std::vector<PrefixPlan> plan(const std::vector<Request> & requests, std::size_t minimum = 1) {
    std::vector<std::size_t> order(requests.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    return plan_prefixes(requests, order, minimum);
}

/// Tokens that both of two requests share; 0 where they are in different groups.
std::size_t shared_by(const Request & a, const Request & b) {
    const std::vector<PrefixPlan> plans = plan({a, b});
    EXPECT_EQ(plans[0].shared, plans[1].shared);
    EXPECT_EQ(plans[0].group == plans[1].group, plans[0].shared > 0);
    return plans[0].shared;
}

TEST(PrefixGroups, NeighboursShareTheirCommonBeginning) {
    const std::vector<PrefixPlan> plans =
        plan({generate({1, 2, 3, 4, 5}), generate({1, 2, 3, 4, 6, 7}), generate({1, 2, 3, 4, 8}), generate({9, 2})});
    for (std::size_t i = 0; i < 3; ++i) {
        EXPECT_EQ(plans[i].group, plans[0].group) << i;
        EXPECT_EQ(plans[i].shared, 4u) << i;
        EXPECT_EQ(plans[i].group_size, 3u) << i;
    }
    EXPECT_NE(plans[3].group, plans[0].group);
    EXPECT_EQ(plans[3].shared, 0u);
    EXPECT_EQ(plans[3].group_size, 1u);
}

TEST(PrefixGroups, PlansAreIndexedAsTheRequestsNotAsTheOrder) {
    const std::vector<Request> requests = {generate({1, 2, 3}), generate({7, 8, 9}), generate({1, 2, 4})};
    const std::vector<std::size_t> order = {0, 2, 1};
    const std::vector<PrefixPlan> plans = plan_prefixes(requests, order, 1);
    EXPECT_EQ(plans[0].group, plans[2].group);
    EXPECT_EQ(plans[0].shared, 2u);
    EXPECT_EQ(plans[2].shared, 2u);
    EXPECT_EQ(plans[1].shared, 0u);
    // Apart in the order, they are no neighbours.
    EXPECT_EQ(plan(requests)[0].shared, 0u);
}

TEST(PrefixGroups, TheLastPromptTokenIsDecodedByEachForItsLogits) {
    EXPECT_EQ(shared_by(generate({1, 2, 3}), generate({1, 2, 3})), 2u);
    Request choose = generate({1, 2, 3});
    choose.kind = RequestKind::choose;
    EXPECT_EQ(shared_by(choose, choose), 2u);
    EXPECT_EQ(shared_by(generate({1}), generate({1})), 0u) << "one token: nothing to share";
}

TEST(PrefixGroups, ReadingEndsThePrefixBeforeTheFirstRowThatIsNeeded) {
    const std::vector<Token> prompt = {1, 2, 3};
    const std::vector<Token> response = {4, 5, 6};
    const auto self_shared = [&](Capture capture, bool logprobs) {
        Request request = read(prompt, response, std::move(capture));
        request.logprobs = logprobs;
        return shared_by(request, request);
    };
    EXPECT_EQ(self_shared({.resid_post = true}, false), 3u);
    EXPECT_EQ(self_shared({.mlp_post = true}, false), 3u);
    EXPECT_EQ(self_shared({.resid_last = true}, false), 3u);
    EXPECT_EQ(self_shared({.resid_post = true}, true), 2u) << "the first response token is scored by the row before it";
    EXPECT_EQ(self_shared({.last_logits = true}, false), 5u) << "only the last row is read";
    EXPECT_EQ(shared_by(read({}, response, {.resid_post = true}), read({}, response, {.resid_post = true})), 0u);
}

TEST(PrefixGroups, ShorterBeginningsThanTheMinimumAreNotShared) {
    const std::vector<Request> requests = {generate({1, 2, 3, 4}), generate({1, 2, 3, 5})};
    EXPECT_EQ(plan(requests, 3)[1].shared, 3u);
    EXPECT_EQ(plan(requests, 4)[1].shared, 0u);
    EXPECT_NE(plan(requests, 4)[0].group, plan(requests, 4)[1].group);
}

TEST(PrefixGroups, ANewcomerThatWouldCostTheOthersMostOfTheirPrefixBeginsItsOwnGroup) {
    const std::vector<PrefixPlan> plans =
        plan({generate({1, 2, 3, 4, 5, 6, 7, 8, 9}), generate({1, 2, 3, 4, 5, 6, 7, 8, 10}), generate({1, 2, 3, 20}),
              generate({1, 2, 3, 21})});
    EXPECT_EQ(plans[0].shared, 8u);
    EXPECT_EQ(plans[1].shared, 8u);
    EXPECT_EQ(plans[2].shared, 3u);
    EXPECT_EQ(plans[3].shared, 3u);
    EXPECT_EQ(plans[2].group, plans[3].group);
    EXPECT_NE(plans[1].group, plans[2].group);
}

TEST(PrefixGroups, InterventionsOnThePromptKeepRequestsApart) {
    const auto steered = [](std::shared_ptr<const Intervention> intervention) {
        Request request = generate({1, 2, 3});
        request.intervention = std::move(intervention);
        return request;
    };
    const auto all = direction(TokenScope::all);
    const auto response = direction(TokenScope::response);
    EXPECT_EQ(shared_by(steered(all), steered(all)), 2u) << "the same intervention";
    EXPECT_EQ(shared_by(steered(all), steered(nullptr)), 0u);
    EXPECT_EQ(shared_by(steered(all), steered(direction(TokenScope::all))), 0u);
    EXPECT_EQ(shared_by(steered(direction(TokenScope::prompt)), steered(nullptr)), 0u);
    EXPECT_EQ(shared_by(steered(neuron()), steered(nullptr)), 0u);
    EXPECT_EQ(shared_by(steered(response), steered(nullptr)), 2u) << "it leaves the prompt as it is";
    EXPECT_EQ(shared_by(steered(response), steered(direction(TokenScope::response))), 2u);
}

TEST(PrefixGroups, ResponseTokensThatAreSteeredDifferentlyAreNotShared) {
    const auto steered = [](std::shared_ptr<const Intervention> intervention) {
        Request request = read({1, 2, 3}, {4, 5, 6}, {.last_logits = true});
        request.intervention = std::move(intervention);
        return request;
    };
    const auto response = direction(TokenScope::response);
    EXPECT_EQ(shared_by(steered(response), steered(nullptr)), 3u);
    EXPECT_EQ(shared_by(steered(response), steered(direction(TokenScope::response))), 3u);
    // What is a response to one is prompt to the other.
    Request written = generate({1, 2, 3, 4, 5, 6});
    written.intervention = response;
    EXPECT_EQ(shared_by(steered(response), written), 3u);
}

// As a judge asks: several questions about one text, then single ones about others, all behind one short header.
TEST(PrefixGroups, QuestionsAboutOneTextStayTogetherAfterOthersThatShareOnlyTheHeader) {
    std::vector<Request> requests;
    const auto ask = [&](Token text, Token question) {
        std::vector<Token> prompt{1, 2, 3};
        prompt.insert(prompt.end(), 40, text);
        prompt.push_back(question);
        prompt.push_back(4);
        requests.push_back(generate(std::move(prompt)));
    };
    for (Token question = 0; question < 10; ++question) {
        ask(100, question + 10);
    }
    for (Token text = 0; text < 10; ++text) {
        ask(200 + text, 10);
    }
    for (Token question = 0; question < 10; ++question) {
        ask(300, question + 10);
    }
    const std::vector<PrefixPlan> plans = plan(requests, 2);
    for (std::size_t i = 0; i < 10; ++i) {
        EXPECT_EQ(plans[i].shared, 43u) << i;
        EXPECT_EQ(plans[20 + i].shared, 43u) << i;
    }
    EXPECT_EQ(plans[10].shared, 3u);
    EXPECT_NE(plans[0].group, plans[10].group);
    EXPECT_NE(plans[10].group, plans[20].group);
}

} // namespace
} // namespace valuelens
