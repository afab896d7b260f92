#pragma once

#include <string>
#include <vector>

#include "report/json.h"

namespace valuelens {

/// A report as running text: what Markdown and the page without scripts show. All texts are plain; whoever writes the
/// document out escapes them.
struct Block {
    enum class Kind { heading, paragraph, list, table, command };
    Kind kind = Kind::paragraph;
    int level = 2;                              ///< of a heading
    std::string text;                           ///< heading, paragraph, command; caption of a table
    std::vector<std::string> items;             ///< of a list; column names of a table
    std::vector<std::vector<std::string>> rows; ///< of a table, as many cells as columns
};
using Document = std::vector<Block>;

/// The document of a model (report/model.h).
Document report_document(const Json & model);

/// GitHub-flavoured Markdown. What comes from models and data cannot become markup.
std::string to_markdown(const Document & document);

/// The inside of an HTML page's <main>. Every text is escaped.
std::string to_html(const Document & document);
std::string escape_html(const std::string & text);

} // namespace valuelens
