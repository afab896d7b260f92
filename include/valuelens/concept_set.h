#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace valuelens {

/// One concept of a set: a value, a persona, an emotion. The text fields fill the templates.
struct Concept {
    std::string id;              ///< [a-z0-9_]+, unique in the set; names tensors and columns
    std::string name;            ///< as written for people, fills `{value}`
    std::string definition;      ///< a noun phrase, fills `{definition}`
    std::string short_name;      ///< a phrase of a few words for judge questions; the name where none is given
    std::string domain;          ///< higher-order domain, empty where none is stated
    std::optional<double> angle; ///< degrees on the theoretical circle (circle a), where stated
    std::optional<double> wedge; ///< degrees on the circle with shared wedges (circle b), where stated
};

/// An ordered set of concepts.
struct ConceptSet {
    std::string name;
    std::string title;
    std::string source;
    std::vector<Concept> concepts;

    /// Position of the concept with that id, or nothing.
    std::optional<std::size_t> find(const std::string & id) const;
};

/// A system-prompt template with the slots `{value}` and `{definition}`.
struct PromptTemplate {
    std::string id;
    std::string text;

    /// The template with the concept's name and definition filled in.
    std::string fill(const Concept & concept_) const;
};

/// The shipped set of Schwartz's ten basic values.
ConceptSet schwartz10();

/// Loads a concept set from TOML (schema: data/README.md). Throws Error(bad_input) with file:line.
ConceptSet load_concept_set(const std::filesystem::path & path);

/// The 500 shipped templates.
std::vector<PromptTemplate> shipped_templates();

/// Loads templates from JSONL `{"id","text"}`. Throws Error(bad_input) with file:line.
std::vector<PromptTemplate> load_templates(const std::filesystem::path & path);

} // namespace valuelens
