#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "valuelens/model.h"

namespace valuelens {

/// One direction that a request may name.
struct SourceKey {
    std::string key;         ///< empty: a control vector, which has no names inside
    std::vector<int> layers; ///< blocks that it has directions for; empty: one vector for no block in particular
};

/// A group of neurons that a request may name.
struct NeuronGroup {
    std::string value; ///< with category empty in a table of layer,neuron
    std::string category;
    std::size_t count = 0;
};

/// A file that requests may name.
struct Source {
    enum class Kind { directions, neurons };
    std::string name; ///< its path inside the folder, with '/'
    Kind kind = Kind::directions;
    std::vector<SourceKey> keys;
    std::vector<NeuronGroup> groups;
    bool resid_unit = false; ///< has the mean residual norms that unit resid needs
    std::string problem;     ///< why it cannot be used with this model; empty: it can
};

/// The folder of directions and neurons that requests may use. Clients name files of its listing; a client's words are
/// never made into a path, so none leads out of the folder. Symlinks that point out of it are not followed.
/// Thread-safe.
class Sources {
public:
    /// An empty `root`: there are none. Throws Error(bad_input) where the folder is not there.
    Sources(const std::filesystem::path & root, ModelInfo model);

    /// All files, by name, looked up anew.
    std::vector<Source> list() const;

    /// Whether the folder has more files than are looked at; the others cannot be asked for.
    bool has_more() const;

    /// The path behind a name. Looks again (at most every second) where the name is new. Throws ApiError(400) about
    /// `param` for a name that is none.
    std::filesystem::path find(const std::string & name, const std::string & param) const;

    /// A sentence of the library with the folder's own path taken out: clients need not know where it lies.
    std::string without_root(std::string text) const;

private:
    using Files = std::map<std::string, std::filesystem::path, std::less<>>;
    Files scan() const; // with the lock held

    std::filesystem::path root_; ///< canonical
    ModelInfo model_;
    mutable std::mutex mutex_;
    mutable Files files_;
    mutable bool more_ = false;
    mutable std::chrono::steady_clock::time_point scanned_;
};

} // namespace valuelens
