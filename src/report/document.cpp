#include "report/document.h"

#include <algorithm>

#include <fmt/format.h>

namespace valuelens {

namespace {

Block heading(int level, std::string text) {
    return {.kind = Block::Kind::heading, .level = level, .text = std::move(text)};
}

Block paragraph(std::string text) {
    return {.kind = Block::Kind::paragraph, .text = std::move(text)};
}

Block list(std::vector<std::string> items) {
    return {.kind = Block::Kind::list, .items = std::move(items)};
}

Block command(std::string text) {
    return {.kind = Block::Kind::command, .text = std::move(text)};
}

Block table(std::string caption, std::vector<std::string> columns) {
    return {.kind = Block::Kind::table, .text = std::move(caption), .items = std::move(columns)};
}

std::string text_of(double number) {
    return std::isnan(number) ? "-" : fmt::format("{:.3g}", number);
}

std::string text_of(const Estimate & e) {
    return std::isnan(e.value) ? "-"
           : std::isnan(e.low) ? fmt::format("{:.2f}", e.value)
                               : fmt::format("{:.2f} [{:.2f}, {:.2f}]", e.value, e.low, e.high);
}

/// The estimate of a column of layers.
std::string at_layer(const Json & column, std::size_t layer) {
    if (column.size() <= layer) {
        return "-";
    }
    return column[layer].is_number() ? fmt::format("{:.2f}", column[layer].get<double>())
                                     : text_of(estimate_of(column[layer]));
}

class Writer {
public:
    explicit Writer(const Json & model) : model_(model), layer_(model.at("layer").get<std::size_t>()) {
        summary();
        vectors();
        circle();
        geometry();
        neurons();
        steering();
        evaluations();
        samples();
        comparison();
        missing();
    }

    Document document;

private:
    template <typename... Blocks>
    void add(Blocks &&... blocks) {
        (document.push_back(std::forward<Blocks>(blocks)), ...);
    }

    const Json * part(const char * key) const { return model_.at(key).is_null() ? nullptr : &model_.at(key); }

    std::string title() const {
        const std::string name = model_.at("model").at("name");
        const Json & set = model_.at("concept_set");
        const std::string concepts = set.at("title").get<std::string>().empty() ? set.at("name") : set.at("title");
        return fmt::format("{} in {}", concepts, name.empty() ? "a model" : name);
    }

    void summary() {
        const Json & data = model_.at("data");
        const Json & judge = model_.at("judge");
        add(heading(1, title()), heading(2, "What was found"));
        Block found = table("", {"question", "verdict", "answer"});
        for (const Json & finding : model_.at("findings")) {
            found.rows.push_back({finding.at("question"), finding.at("verdict"), finding.at("answer")});
        }
        add(std::move(found), heading(2, "How sure it is"));
        std::vector<std::string> cautions;
        for (const Json & warning : model_.at("warnings")) {
            cautions.push_back(warning.at("text"));
        }
        add(cautions.empty() ? paragraph("Nothing that the checks of this report look for is wrong.")
                             : list(std::move(cautions)),
            heading(2, "What to do next"));
        for (const Json & step : model_.at("next")) {
            add(paragraph(step.at("text")), command(step.at("command")));
        }
        if (model_.at("next").empty()) {
            add(paragraph("All parts of this report are there."));
        }
        add(heading(2, "Model, data, judge"),
            list({fmt::format("Model: {} ({}), identity {}", model_.at("model").at("name").get<std::string>(),
                              model_.at("model").at("description").get<std::string>(),
                              model_.at("model").at("identity").get<std::string>()),
                  fmt::format(
                      "Data: {} queries; {} intrinsic and {} prompted responses of at most {} tokens ({} cut off "
                      "there); {}",
                      data.at("queries").get<std::size_t>(), data.at("intrinsic").get<std::size_t>(),
                      data.at("prompted").get<std::size_t>(), data.at("max_tokens").get<std::string>(),
                      data.at("cut_at_max_tokens").get<std::size_t>(), data.at("sampling").get<std::string>()),
                  fmt::format("Judge: {}; {}", judge.at("name").get<std::string>(),
                              judge.at("quality_text").get<std::string>())}));
    }

    void vectors() {
        const Json * part_ = part("vectors");
        if (part_ == nullptr) {
            return;
        }
        Block rows = table(fmt::format("At layer {} of {}", layer_, part_->at("n_layer").get<std::size_t>()),
                           {"value", "condition", "expressing", "not", "held-out AUROC", "split-half cosine"});
        for (const Json & vector : part_->at("vectors")) {
            const std::string problem = vector.at("problem");
            rows.rows.push_back({vector.at("value"), vector.at("condition"),
                                 std::to_string(vector.at("expressing").get<std::size_t>()),
                                 std::to_string(vector.at("not_expressing").get<std::size_t>()),
                                 problem.empty() ? at_layer(vector.at("auroc"), layer_) : problem,
                                 at_layer(vector.at("split_half_cosine"), layer_)});
        }
        add(heading(2, "Value vectors"), std::move(rows));
    }

    void circle() {
        const Json * axes = part("axes");
        if (axes == nullptr || axes->value("circles", Json::array()).empty()) {
            return;
        }
        Block rows = table("Mean of the layer range against the theoretical circle",
                           {"axes", "R² (even)", "p", "R² by chance", "R² (wedges)", "p"});
        for (const Json & circle : axes->at("circles")) {
            const Json & even = circle.at("range").at("even");
            const Json & wedges = circle.at("range").at("wedges");
            rows.rows.push_back({circle.at("kind"), text_of(number_at(even, "r_squared")),
                                 text_of(number_at(even, "p")), text_of(estimate_of(even.at("null"))),
                                 text_of(number_at(wedges, "r_squared")), text_of(number_at(wedges, "p"))});
        }
        add(heading(2, "Value circle"), std::move(rows));
    }

    void geometry() {
        const Json * axes = part("axes");
        if (axes == nullptr) {
            return;
        }
        Block rows = table(fmt::format("At layer {}", layer_), {"value", "cosine of both ways", "sigma_2 / sigma_1",
                                                                "stability, shared", "stability, unique"});
        for (const Json & value : axes->at("axes")) {
            const Json & layers = value.at("layers");
            if (!value.at("problem").get<std::string>().empty()) {
                rows.rows.push_back({value.at("value"), value.at("problem"), "-", "-", "-"});
                continue;
            }
            rows.rows.push_back(
                {value.at("value"), at_layer(layers.at("cosine"), layer_), at_layer(layers.at("sigma_ratio"), layer_),
                 at_layer(layers.at("stability_shared"), layer_), at_layer(layers.at("stability_unique"), layer_)});
        }
        add(heading(2, "Geometry"), std::move(rows));
        Block by_layer = table("What prompting adds: share explained by one direction",
                               {"layer", "explained", "by chance", "mean cosine of two deltas"});
        const Json & compliance = axes->at("compliance");
        for (std::size_t l = 0; l < compliance.at("explained").size(); ++l) {
            by_layer.rows.push_back({std::to_string(l), at_layer(compliance.at("explained"), l),
                                     at_layer(compliance.at("explained_null"), l),
                                     at_layer(compliance.at("mean_cosine"), l)});
        }
        add(std::move(by_layer));
    }

    void neurons() {
        const Json * part_ = part("neurons");
        if (part_ == nullptr) {
            return;
        }
        Block rows = table("Kept neurons by category, and how many chance would give",
                           {"value", "category", "count", "by chance"});
        for (const Json & value : part_->at("values")) {
            for (const auto & [category, count] : value.at("counts").items()) {
                const Json & chance = value.at("chance");
                rows.rows.push_back({value.at("value"), category, std::to_string(count.get<std::size_t>()),
                                     chance.is_object() && chance.contains(category)
                                         ? text_of(estimate_of(chance.at(category)))
                                         : "-"});
            }
        }
        add(heading(2, "Neurons"), std::move(rows));
    }

    void steering() {
        if (model_.at("tunes").empty()) {
            return;
        }
        add(heading(2, "Steering"));
        for (const Json & tune : model_.at("tunes")) {
            Block rows = table(fmt::format("{}: at most {} points of accuracy may be lost",
                                           tune.at("file").get<std::string>(), number_at(tune, "max_drop")),
                               {"intervention", tune.at("strength"), "accuracy", "drop", "gain (centred)"});
            for (const Json & curve : tune.at("curves")) {
                for (const Json & point : curve.at("points")) {
                    rows.rows.push_back({curve.at("intervention"), text_of(number_at(point, "strength")),
                                         text_of(estimate_of(point.at("accuracy"))),
                                         text_of(estimate_of(point.at("drop"))),
                                         text_of(estimate_of(point.value("gain_centred", Json())))});
                }
            }
            add(std::move(rows));
        }
    }

    void evaluations() {
        if (model_.at("evaluations").empty()) {
            return;
        }
        add(heading(2, "Evaluations"));
        for (const Json & evaluation : model_.at("evaluations")) {
            constexpr std::size_t columns_fit = 4;
            add(evaluation.at("variants").size() <= columns_fit ? by_group(evaluation) : by_variant(evaluation));
            if (const Json statistics = evaluation.value("statistics", Json::array()); !statistics.empty()) {
                Block rows = table("Over the whole evaluation", {"statistic", "of", "estimate", "p"});
                for (const Json & one : statistics) {
                    rows.rows.push_back({one.value("name", ""), one.value("subject", ""),
                                         text_of(estimate_of(one.value("estimate", Json()))),
                                         text_of(number_at(one, "p"))});
                }
                add(std::move(rows));
            }
        }
    }

    static std::string title_of(const Json & evaluation) {
        return fmt::format("{} ({})", evaluation.at("evaluation").get<std::string>(),
                           evaluation.at("file").get<std::string>());
    }

    /// A line for each measure and group, a column for each variant and its difference.
    static Block by_group(const Json & evaluation) {
        std::vector<std::string> columns = {"measure", "group"};
        for (const Json & variant : evaluation.at("variants")) {
            columns.push_back(variant.at("name"));
        }
        for (std::size_t v = 1; v < evaluation.at("variants").size(); ++v) {
            columns.push_back(evaluation.at("variants")[v].at("name").get<std::string>() + " minus base");
        }
        Block rows = table(title_of(evaluation), columns);
        for (const Json & result : evaluation.at("results")) {
            std::vector<std::string> cells = {result.at("measure"),
                                              result.at("group").is_null() ? "all" : result.at("group")};
            for (const Json & score : result.at("scores")) {
                cells.push_back(text_of(estimate_of(score.at("estimate"))));
            }
            for (std::size_t v = 1; v < result.at("differences").size(); ++v) {
                cells.push_back(text_of(estimate_of(result.at("differences")[v].at("estimate"))));
            }
            cells.resize(columns.size(), "-");
            rows.rows.push_back(std::move(cells));
        }
        return rows;
    }

    /// Of many variants: what stands over all groups, a line for each measure and variant.
    static Block by_variant(const Json & evaluation) {
        Block rows = table(title_of(evaluation) + ", over all groups; by group in the page and in the file",
                           {"measure", "variant", "score", "minus base"});
        for (const Json & result : evaluation.at("results")) {
            for (std::size_t v = 0; result.at("group").is_null() && v < result.at("scores").size(); ++v) {
                rows.rows.push_back({result.at("measure"), evaluation.at("variants")[v].at("name"),
                                     text_of(estimate_of(result.at("scores")[v].at("estimate"))),
                                     v == 0 ? "-" : text_of(estimate_of(result.at("differences")[v].at("estimate")))});
            }
        }
        return rows;
    }

    void samples() {
        constexpr std::size_t most = 3;
        for (const Json & sample : model_.at("samples")) {
            Block rows = table(fmt::format("{}: the first {} of {} prompts", sample.at("file").get<std::string>(),
                                           std::min(most, sample.at("prompts").size()),
                                           sample.at("n_prompts").get<std::size_t>()),
                               {"prompt", "intervention", "answer"});
            for (std::size_t i = 0; i < std::min(most, sample.at("prompts").size()); ++i) {
                for (const Json & answer : sample.at("prompts")[i].at("answers")) {
                    rows.rows.push_back(
                        {sample.at("prompts")[i].at("id"), answer.at("intervention"), answer.at("text")});
                }
            }
            add(heading(2, "Answers side by side"), std::move(rows));
        }
    }

    void comparison() {
        if (model_.at("compare").empty()) {
            return;
        }
        Block rows = table("Answers to the questions above", {"question", "this run"});
        for (const Json & other : model_.at("compare")) {
            rows.items.push_back(other.at("run"));
        }
        for (std::size_t i = 0; i < model_.at("findings").size(); ++i) {
            const Json & own = model_.at("findings")[i];
            std::vector<std::string> cells = {own.at("question"), cell_of(own)};
            for (const Json & other : model_.at("compare")) {
                cells.push_back(cell_of(other.at("findings")[i]));
            }
            rows.rows.push_back(std::move(cells));
        }
        add(heading(2, "Runs side by side"), std::move(rows));
    }

    static std::string cell_of(const Json & finding) {
        return fmt::format("{}: {}", finding.at("verdict").get<std::string>(), finding.at("answer").get<std::string>());
    }

    void missing() {
        if (model_.at("missing").empty()) {
            return;
        }
        std::vector<std::string> items;
        for (const Json & part_ : model_.at("missing")) {
            items.push_back(fmt::format("{}: made by {}", part_.at("what").get<std::string>(),
                                        part_.at("command").get<std::string>()));
        }
        add(heading(2, "Not in this report"), list(std::move(items)));
    }

    const Json & model_;
    std::size_t layer_;
};

} // namespace

Document report_document(const Json & model) {
    return Writer(model).document;
}

} // namespace valuelens
