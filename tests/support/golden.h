#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "base/file.h"

namespace valuelens::test {

inline std::filesystem::path shared_dir() {
    return VALUELENS_SHARED_DIR;
}

/// A model that `make test` put into the cache; empty where it is not there.
inline std::string cached_model(const std::string & name, const std::string & type) {
    const auto path = cache_home() / "models" / name / (name + (type == "original" ? "" : "-" + type) + ".gguf");
    return std::filesystem::exists(path) ? path.string() : std::string();
}

/// The reference values, read without our own reader (so that both are tested).
struct Golden {
    nlohmann::json json;
    std::map<std::string, std::vector<float>> tensors;
    std::map<std::string, std::vector<std::int64_t>> shapes;

    static Golden load() {
        Golden golden;
        const auto stem = (shared_dir() / "golden" / "smollm2-135m-instruct").string();
        golden.json = nlohmann::json::parse(read_file(stem + ".json"));
        const std::string bytes = read_file(stem + ".safetensors");
        std::uint64_t length = 0;
        std::memcpy(&length, bytes.data(), sizeof(length));
        const auto header = nlohmann::json::parse(bytes.substr(8, length));
        for (const auto & [name, entry] : header.items()) {
            if (name == "__metadata__") {
                continue;
            }
            const std::size_t begin = 8 + length + entry["data_offsets"][0].get<std::size_t>();
            const std::size_t end = 8 + length + entry["data_offsets"][1].get<std::size_t>();
            std::vector<float> values((end - begin) / 4);
            if (entry["dtype"] == "I32") {
                std::vector<std::int32_t> raw(values.size());
                std::memcpy(raw.data(), bytes.data() + begin, end - begin);
                std::copy(raw.begin(), raw.end(), values.begin());
            } else {
                std::memcpy(values.data(), bytes.data() + begin, end - begin);
            }
            golden.tensors[name] = std::move(values);
            golden.shapes[name] = entry["shape"].get<std::vector<std::int64_t>>();
        }
        return golden;
    }
};

} // namespace valuelens::test
