#include "generate/estimate.h"

#include <algorithm>

#include "base/fail.h"

namespace valuelens {

namespace {

std::uint64_t activation_bytes(const ModelInfo & model, StoredActivations kind, std::uint64_t n_responses,
                               std::uint64_t n_slices, std::uint64_t n_values) {
    const auto layers = static_cast<std::uint64_t>(model.n_layer);
    const auto width = static_cast<std::uint64_t>(model.n_embd);
    switch (kind) {
    case StoredActivations::f32:
        return n_responses * layers * width * 4;
    case StoredActivations::f16:
        return n_responses * layers * (width * 2 + 4);
    case StoredActivations::none: // two classes of two conditions
        return n_slices * (4 * n_values * width + 1) * layers * 4;
    }
    return 0;
}

} // namespace

GenerateEstimate estimate_generation(const GenerationPlan & plan, const Generator & generator,
                                     const GenerateOptions & options, const std::set<std::size_t> & finished) {
    const std::vector<std::size_t> slices = open_slices(plan, options, finished);
    GenerateEstimate estimate;
    std::vector<std::size_t> ends; // of each open slice, counted in open responses
    for (const std::size_t slice : slices) {
        estimate.responses += plan.slice_size(slice);
        ends.push_back(estimate.responses);
    }
    if (slices.empty()) {
        return estimate;
    }

    constexpr std::size_t most_samples = 64;
    const std::size_t samples = std::min(most_samples, estimate.responses);
    std::uint64_t sampled_tokens = 0;
    std::uint64_t sampled_bytes = 0;
    for (std::size_t i = 0; i < samples; ++i) {
        const std::size_t wanted = i * estimate.responses / samples;
        const auto place = static_cast<std::size_t>(std::upper_bound(ends.begin(), ends.end(), wanted) - ends.begin());
        const std::size_t within = wanted - (place == 0 ? 0 : ends[place - 1]);
        const PlannedResponse response = plan.slice(slices[place])[within];
        const RenderedPrompt prompt = generator.render(response.system, plan.queries[response.query].text);
        sampled_tokens += prompt.tokens.size();
        sampled_bytes += prompt.text.size() + response.system.size() + prompt.tokens.size() * sizeof(Token);
    }
    const double scale = static_cast<double>(estimate.responses) / static_cast<double>(samples);
    estimate.prompt_tokens = static_cast<std::uint64_t>(static_cast<double>(sampled_tokens) * scale);
    estimate.max_response_tokens = estimate.responses * static_cast<std::uint64_t>(options.max_tokens);

    constexpr std::uint64_t bytes_per_token = sizeof(Token) + 6; // the token and its text, generously
    constexpr std::uint64_t row_overhead = 512; // ids, keys and indices of the database; id in the shard
    estimate.disk_bytes = activation_bytes(generator.info(), options.activations, estimate.responses, slices.size(),
                                           plan.value_ids.size()) +
                          estimate.responses * row_overhead +
                          static_cast<std::uint64_t>(static_cast<double>(sampled_bytes) * scale) +
                          estimate.max_response_tokens * bytes_per_token;
    return estimate;
}

void require_disk_space(const GenerateEstimate & estimate, const std::filesystem::path & folder,
                        std::uint64_t available) {
    if (estimate.disk_bytes <= available) {
        return;
    }
    const auto size = [](std::uint64_t bytes) {
        const auto number = static_cast<double>(bytes);
        return number < 1e9 ? fmt::format("{:.1f} MB", number / 1e6) : fmt::format("{:.2f} GB", number / 1e9);
    };
    fail(ErrorKind::bad_input,
         "{}: {} responses need up to {} and {} are free; free some space, store activations as f16, or take fewer "
         "queries",
         folder.string(), estimate.responses, size(estimate.disk_bytes), size(available));
}

void require_disk_space(const GenerateEstimate & estimate, const std::filesystem::path & folder) {
    std::error_code unknown;
    const std::filesystem::space_info space = std::filesystem::space(folder, unknown);
    if (!unknown) {
        require_disk_space(estimate, folder, space.available);
    }
}

} // namespace valuelens
