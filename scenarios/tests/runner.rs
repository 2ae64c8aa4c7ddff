//! What somebody who writes scenarios is told: about slips of the pen, and about promises that were not kept.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says where")]

use scenarios::{
    coverage::{Coverage, Excuses},
    junit,
    report::{Report, Tags},
    suite::Suite,
    world::Level,
};

/// A scenario with these steps, as a file; the first step stands in line 4.
fn file(steps: &str) -> String {
    let steps: Vec<_> = steps.trim().lines().map(|line| format!("    {}\n", line.trim())).collect();
    format!("Feature: f\n\n  Scenario: s\n{}", steps.concat())
}

fn suite(text: &str) -> Suite {
    let mut suite = Suite::default();
    suite.read("scenarios/a.feature", text);
    suite
}

fn problems(steps: &str) -> Vec<String> {
    let suite = suite(&file(steps));
    suite.problems.iter().map(|problem| problem.to_string().replacen("scenarios/a.feature:", "", 1)).collect()
}

const WHEN: &str = "When cart \"C1\": Open {currency: GBP}";
const THEN: &str = "Then Opened";

/// A file with one step is told to be wrong where the step has its `^`.
#[track_caller]
fn wrong(before: &str, step: &str, after: &str, problem: &str) {
    let line = 4 + before.lines().count();
    let column = 5 + step.chars().take_while(|letter| *letter != '^').count();
    let steps = format!("{before}\n{}\n{after}", step.replace('^', ""));
    assert_eq!(problems(&steps), [format!("{line}:{column}: {problem}")]);
}

#[track_caller]
fn given(step: &str, problem: &str) {
    wrong("", step, &format!("{WHEN}\n{THEN}"), problem);
}

#[track_caller]
fn then(step: &str, problem: &str) {
    wrong(WHEN, step, "", problem);
}

#[test]
fn a_name_that_does_not_exist_is_told_with_the_nearest_that_does() {
    given(
        "Given ^crat \"C1\": Opened {currency: GBP}",
        "there is no aggregate \"crat\"; did you mean \"cart\"?",
    );
    given(
        "Given cart \"C1\": ^Oepned {currency: GBP}",
        "cart has no event or command \"Oepned\"; did you mean \"Opened\"?",
    );
    given(
        "Given cart \"C1\": Opened {currency: GBP, ^custommer: ada}",
        "Opened has no field \"custommer\"; did you mean \"customer\"?",
    );
    then(
        "Then CheckedOut {^country: GB, ..}",
        "CheckedOut has no field \"country\"; it belongs into delivery: {…}",
    );
    then("Then ^LineAded", "cart has no event \"LineAded\"; did you mean \"LineAdded\"?");
    then(
        "Then refused: ^cart.too_many_line",
        "cart has no refusal \"cart.too_many_line\"; did you mean \"cart.too_many_lines\"?",
    );
    then("Then refused: ^order.not_placed", "cart never refuses with order.not_placed");
    then(
        "Then checkout \"O1\" wants order \"O1\": ^Confrim",
        "order has no command \"Confrim\"; did you mean \"Confirm\"?",
    );
    then("Then the ^ordr \"O1\" reads {status: placed}", "nobody reads a \"ordr\"; did you mean \"order\"?");
}

#[test]
fn an_event_in_the_place_of_a_command_is_told() {
    let told = problems("When cart \"C1\": Opened {currency: GBP}\nThen Opened");
    assert_eq!(told, ["4:21: Opened is an event; here stands a command"]);
    then("Then ^Open {currency: GBP}", "Open is a command; here stands an event");
}

#[test]
fn a_value_that_does_not_fit_is_told_with_its_place() {
    let line = |fields: &str| {
        format!("Given cart \"C1\": LineAdded {{line: {{product: P1, title: Mug, {fields}}}}}")
    };
    let told = |fields: &str, problem: &str| given(&line(fields), problem);
    told("sku: MUG, quantity: ^two, unit_price: 1.00 GBP", "quantity wants a whole number, not \"two\"");
    told("sku: MUG, quantity: ^-1, unit_price: 1.00 GBP", "quantity is from 0 to 4294967295, not -1");
    told(
        "sku: MUG, quantity: ^0, unit_price: 1.00 GBP",
        "quantity: invalid value: integer `0`, expected a nonzero u32",
    );
    told(
        "sku: MUG, quantity: 1, unit_price: ^1 GBP",
        "unit_price: GBP has 2 digits behind the point, as in 15.00 GBP",
    );
    told("sku: MUG, quantity: 1, unit_price: ^[1]", "unit_price wants its fields in {…}, not […]");
    told("sku: ^{a: 1}, quantity: 1, unit_price: 1.00 GBP", "sku wants a text, not {…}");
    given("Given cart \"C1\": Opened ^{..}", "only a Then may leave fields open with ..");
    given(
        "Given cart \"C1\": Opened {currency: ^pounds}",
        "currency: \"pounds\" is not a currency: three capital letters of ISO 4217, such as GBP",
    );
    given(
        "Given it is ^tomorrow",
        "\"tomorrow\" is not a time such as 2026-01-01T09:00:00Z, now, or now + 15 minutes",
    );
    given(
        "Given order \"O1\": Cancelled {confirmed: false, units: [], reason: ^bored}",
        "reason cannot be \"bored\"; there are customer_request, staff, out_of_stock, payment_declined, \
         payment_timed_out, rejected, lines_cancelled, purchase_limit",
    );
}

#[test]
fn fields_are_left_open_at_any_depth() {
    let then = |fields: &str| {
        problems(&format!("{WHEN}\nThen eventually checkout \"O1\": Started {{{fields}, ..}}"))
    };
    assert_eq!(then("lines: [{sku: MUG, ..}, {quantity: 2, ..}], delivery: {country: GB, ..}"), [""; 0]);
    assert_eq!(then("lines: [{sku: MUG}]").len(), 1);
    let told = then("lines: [{quantity: 0, ..}]");
    assert_eq!(told, ["5:64: quantity: invalid value: integer `0`, expected a nonzero u32"]);
}

#[test]
fn every_missing_field_is_listed() {
    given(
        "Given cart \"C1\": LineAdded {line: ^{sku: MUG}}",
        "line lacks product, title, quantity, unit_price",
    );
    given("Given cart \"C1\": ^Opened", "Opened lacks currency");
}

#[test]
fn a_step_that_is_none_is_told_with_those_that_are() {
    let told = problems("When pigs fly\nThen nothing happens");
    assert!(told[0].starts_with("4:10: no such step; a When is one of: AGGREGATE"), "{told:?}");
    then(
        "Then ^all is well",
        "no such step; a Then is one of: AGGREGATE \"ID\": Event {…}; Event {…}; nothing \
          happens; refused: CODE {…}; eventually AGGREGATE \"ID\": Event {…}; eventually AGGREGATE \"ID\" is exactly:; \
          never AGGREGATE \"ID\": Event; AGGREGATE \"ID\" wants AGGREGATE \"ID\": Command {…}; AGGREGATE \"ID\" wants \
          nothing more; the NOUN \"ID\" reads {…}",
    );
}

#[test]
fn steps_stand_in_their_order() {
    let told = problems(&format!("{THEN}\n{WHEN}\n{THEN}"));
    assert_eq!(told[0], "4:5: a Then comes after a When");
    let told = problems(&format!("{WHEN}\n{THEN}\nGiven it is 2026-01-01T09:00:00Z"));
    assert_eq!(told, ["6:5: what is given comes before the first When"]);
    let told = problems("When 1 day passes\nThen cart \"C1\": Opened");
    assert_eq!(told, ["5:5: only a command is answered: say \"eventually\", or put a command into the When"]);
    let told = problems("When the same command comes again\nThen nothing happens");
    assert_eq!(told, ["4:5: there is no command in a When above that could come again"]);
}

#[test]
fn all_problems_of_all_files_are_told_at_once() {
    let mut suite = suite(&file("Given crat \"C1\": Opened\nWhen pigs fly\nThen nothing happens"));
    suite.read("scenarios/b.feature", "");
    let told: Vec<_> =
        suite.problems.iter().map(|problem| (problem.path.as_str(), problem.flaw.at.line)).collect();
    assert_eq!(told, [("scenarios/a.feature", 4), ("scenarios/a.feature", 5), ("scenarios/b.feature", 1)]);
}

/// What is wrong with a whole file.
fn wrongs(text: &str) -> Vec<String> {
    let told = suite(text).problems.into_iter();
    told.map(|problem| problem.to_string().replacen("scenarios/a.feature:", "", 1)).collect()
}

const STEPS: &str = "    When cart \"C1\": Open {currency: GBP}\n    Then Opened\n";

#[test]
fn a_mistyped_heading_is_no_description() {
    let good = format!("  Scenario: good\n{STEPS}");
    for (written, meant) in [
        ("Scenaro:", "Scenario:"),
        ("scenario:", "Scenario:"),
        ("Scenario :", "Scenario:"),
        ("SCENARIO OUTLINE:", "Scenario Outline:"),
        ("Scenario Otline:", "Scenario Outline:"),
        ("Rle:", "Rule:"),
        ("Bckground:", "Background:"),
        ("Exampels:", "Examples:"),
        ("background:", "Background:"),
    ] {
        let problem = format!("2:3: \"{written}\" begins nothing; did you mean \"{meant}\"?");
        assert_eq!(wrongs(&format!("Feature: f\n  {written} T\n{STEPS}\n{good}")), [problem]);
        let problem = format!("5:3: \"{written}\" begins nothing; did you mean \"{meant}\"?");
        assert_eq!(wrongs(&format!("Feature: f\n{good}  {written} T\n{STEPS}")), [problem]);
    }
    let problem = "1:1: \"Feture:\" begins nothing; did you mean \"Feature:\"?";
    assert_eq!(wrongs(&format!("Feture: f\n{good}")), [problem]);
    assert_eq!(
        wrongs(&format!("Feature: f\n  Background:\n  Rule: r\n{good}")),
        ["3:3: \"Rule:\" does not fit here: it follows \"Background:\""]
    );
}

#[test]
fn a_mistyped_step_is_no_description() {
    let first = |line: &str| wrongs(&format!("Feature: f\n  Scenario: s\n    {line}\n{STEPS}"));
    for (written, meant) in [
        ("Gven", "Given"),
        ("given", "Given"),
        ("GIVEN", "Given"),
        ("Wen", "When"),
        ("Whne", "When"),
        ("And:", "And"),
        ("but", "But"),
    ] {
        let problem = format!("3:5: \"{written}\" does not begin a step; did you mean \"{meant}\"?");
        assert_eq!(first(&format!("{written} cart \"C1\": Opened {{currency: GBP}}")), [problem.as_str()]);
        assert_eq!(first(&format!("{written} it was so")), [problem.as_str()]);
        let background =
            format!("Feature: f\n  Background:\n    {written} so it is\n\n  Scenario: s\n{STEPS}");
        assert_eq!(wrongs(&background), [problem]);
    }
    assert_eq!(
        first("The cart \"C1\": Opened"),
        ["3:5: \"The\" does not begin a step; did you mean \"Then\"?"]
    );
    assert_eq!(
        first("cart \"C1\": Opened {currency: GBP}"),
        ["3:5: \"cart\" does not begin a step; steps begin with Given, When, Then, And, But"]
    );
    assert_eq!(
        first("Given\tcart \"C1\": Opened"),
        ["3:5: after \"Given\" comes a blank, and then the step"]
    );
    assert_eq!(first("| Opened |"), ["3:5: a table stands below a step or \"Examples:\""]);
    assert_eq!(
        wrongs(&format!("Feature: f\n  Given it is so\n\n  Scenario: s\n{STEPS}")),
        ["2:3: a step stands below \"Scenario:\" or \"Background:\""]
    );
    let prose = "They add what any customer would: an end to it, by hand.\n    But\u{2014}who knows.\n    Note: so it is.";
    assert_eq!(first(prose), [""; 0]);
}

#[test]
fn slips_do_not_hide_each_other_or_what_is_wrong_elsewhere() {
    let text = format!(
        "Feature: f\n  Scenaro: a\n    Wen it is so\n\n  Scenario: b\n    gven it\n{STEPS}\n  Scenario: c\n{}",
        STEPS.replace("Then Opened", "Then Openned")
    );
    let lines: Vec<_> = wrongs(&text).iter().map(|line| line.split_once(':').unwrap().0.to_owned()).collect();
    assert_eq!(lines, ["2", "3", "6", "12"]);
}

/// An outline with these examples, whose table begins in line 7.
fn outline(examples: &str) -> Vec<String> {
    wrongs(&format!(
        "Feature: f\n  Scenario Outline: s <note>\n    When cart \"<cart>\": Open {{currency: GBP}}\n    Then Opened\n\n    Examples:\n{examples}"
    ))
}

#[test]
fn examples_fill_exactly_what_the_steps_leave() {
    assert_eq!(outline("| cart | note |\n| C1 | a |\n| C2 | a |"), [""; 0]);
    assert_eq!(outline("cart | note |\n| C1 | a |\n| C2 | a |")[0], "7:1: a row of a table begins with |");
    assert!(outline("| cart | note |\n| C1 | a\n")[0].starts_with("8:1: the row does not end with |"));
    assert_eq!(
        outline("| cart | note | more |\n| C1 | a | b |"),
        ["7:17: no step says <more>, which this column is for"]
    );
    assert_eq!(outline("| cart | note | cart |\n| C1 | a | b |"), ["7:17: there are two columns \"cart\""]);
    assert_eq!(
        outline("| cart | note |\n| C1 | a |\n| C2 | a |\n| C1 | a |"),
        ["10:3: the same row stands in line 8 already"]
    );
    let second = "| cart | note |\n| C1 | a |\n\n    Examples:\n| crt | note |\n| C1 | a |";
    assert_eq!(outline(second), ["3:16: the examples have no column \"cart\"; did you mean \"crt\"?"]);
    assert_eq!(
        problems("When cart \"<cart>\": Open {currency: GBP}\nThen Opened"),
        ["4:16: no examples fill <cart>"]
    );
}

#[test]
fn a_then_that_could_never_fail_is_told() {
    let buy = "Given order \"O1\": Confirm\nWhen cart \"C1\": Open {currency: GBP}\nThen Opened\n";
    let after = |step: &str| problems(&format!("{buy}{step}"));
    assert_eq!(after("And never order \"O1\": Cancelled"), [""; 0]);
    assert_eq!(after("And never payment \"O1\": Captured"), [""; 0]);
    assert_eq!(after("And never invoice_book \"2026\": Issued"), [""; 0]);
    assert_eq!(
        after("And never order \"Oh-One\": Cancelled\nAnd never order \"Oh-One\": Confirmed"),
        [
            "7:21: no step names order \"Oh-One\"; there are O1",
            "8:21: no step names order \"Oh-One\"; there are O1"
        ]
    );
    assert_eq!(
        after("And never order \"O2\": Cancelled"),
        ["7:21: no step names order \"O2\"; did you mean \"O1\"?"]
    );
    assert_eq!(after("And order \"O1\" wants nothing more"), [""; 0]);
    assert_eq!(
        after("And checkout \"O2\" wants nothing more"),
        ["7:18: no step names checkout \"O2\"; did you mean \"O1\"?"]
    );
    assert_eq!(
        after("And product \"O1\" wants nothing more"),
        ["7:17: nobody wants anything because of product: this is always so"]
    );
}

#[test]
fn a_file_is_read_however_its_editor_stored_it() {
    let text = format!("Feature: f\n\n  Scenario: s\n{STEPS}");
    assert_eq!(wrongs(&format!("\u{feff}{text}")), [""; 0]);
    assert_eq!(wrongs(&text.replace('\n', "\r\n")), [""; 0]);
    assert_eq!(
        wrongs(&text.replace('\n', "\r")),
        ["1:11: a carriage return ends a line here; save the file with line feeds (LF or CRLF)"]
    );
    assert_eq!(
        wrongs(&format!("# language: de\n{text}")),
        ["1:1: scenarios are told in English: leave this line out"]
    );
    let mut suite = Suite::default();
    suite.read_bytes("a", [text.as_bytes(), b"  # gr\xf6\xdfe\n"].concat());
    suite.read_bytes("b", b"Feature: f".to_vec());
    let told: Vec<_> = suite.problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        ["a:6:7: the byte 0xf6 is not UTF-8; save the file as UTF-8", "b:1:1: the feature has no scenarios"]
    );
}

#[test]
fn tags_that_choose_nothing_are_told_with_those_that_there_are() {
    let suite = suite(&format!("@slow @cart\n{}", file(&format!("{WHEN}\n{THEN}"))));
    let check = |tags: &[&str]| {
        let tags: Vec<_> = tags.iter().map(ToString::to_string).collect();
        Tags::new(&tags).check(&suite).map_err(|error| error.to_string())
    };
    assert_eq!(check(&["slow", "nosuch"]), Ok(()));
    assert_eq!(
        check(&["@slwo"]),
        Err("no scenario is chosen by --tag slwo; did you mean \"slow\"?; the tags here are cart, slow"
            .to_owned())
    );
    assert_eq!(
        check(&["cart", "not:slow"]),
        Err("no scenario is chosen by --tag cart --tag not:slow; the tags here are cart, slow".to_owned())
    );
}

fn played(steps: &str) -> Report {
    let suite = suite(&file(steps));
    assert_eq!(suite.problems, []);
    Report::in_memory(&suite, &Tags::default(), |_| {})
}

fn told(steps: &str) -> String {
    played(steps).played[0].told()
}

const ADD: &str = "When cart \"C1\": AddLine {line: {sku: MUG, product: P1, title: Mug, quantity: 2, unit_price: 15.00 GBP}}";

#[test]
fn a_difference_is_told_field_by_field_with_what_had_happened() {
    let told = told(&format!(
        "Given cart \"C1\": Opened {{currency: GBP}}\n{ADD}\nThen LineAdded {{line: {{quantity: 3, ..}}}}"
    ));
    assert_eq!(
        told,
        "\
scenarios/a.feature:6: s
  step        Then LineAdded {line: {quantity: 3, ..}}
  expected    cart \"C1\": LineAdded {line: {quantity: 3, ..}}
  got         cart \"C1\": LineAdded {line: {sku: MUG, product: P1, title: Mug, quantity: 2, unit_price: 15.00 GBP}}
  difference  line.quantity: expected 3, got 2
  given       cart \"C1\": Opened {currency: GBP}
  since       cart \"C1\": LineAdded {line: {sku: MUG, product: P1, title: Mug, quantity: 2, unit_price: 15.00 GBP}}
"
    );
}

/// The one scenario fails at that step, and this is told of it.
#[track_caller]
fn fails(steps: &str, step: &str, got: &str) {
    let report = played(steps);
    let (_, failure) = report.played[0].failures().next().expect("it went as told");
    assert_eq!((failure.step.as_str(), failure.got.join("; ").as_str()), (step, got));
}

#[test]
fn what_no_then_speaks_of_is_not_passed_over() {
    let never_opened = "refused: cart.not_open";
    fails(&format!("{ADD}\nThen never cart \"C1\": LineAdded"), ADD, never_opened);
    fails(&format!("{ADD}\nAnd cart \"C1\": Open {{currency: GBP}}\nThen Opened"), ADD, never_opened);
    let expired = "Given stock of \"MUG\": Receive {quantity: 1}
        Given stock of \"MUG\": Reserve {reservation: R1, quantity: 1, expires_at: now + 5 seconds}
        When 5 seconds pass
        When stock of \"MUG\": Reserve {reservation: R2, quantity: 1}";
    fails(
        &format!("{expired}\nThen Expired {{reservation: R1, quantity: 1, short: 0}}"),
        "When stock of \"MUG\": Reserve {reservation: R2, quantity: 1}",
        "inventory_item \"MUG\": Reserved {reservation: R2, quantity: 1}",
    );
}

#[test]
fn each_then_can_fail() {
    let opened = format!("Given cart \"C1\": Opened {{currency: GBP}}\n{ADD}");
    let line = "cart \"C1\": LineAdded {line: {sku: MUG, product: P1, title: Mug, quantity: 2, unit_price: 15.00 GBP}}";
    let then = |step: &str, got: &str| fails(&format!("{opened}\n{step}"), step, got);
    then("Then nothing happens", line);
    then("Then QuantitySet", line);
    then("Then cart \"C2\": LineAdded", line);
    then("Then refused: cart.empty", line);
    then("Then eventually cart \"C1\": QuantitySet", line);
    then("Then eventually order \"O1\": Placed", "nothing happened to order \"O1\"");
    then("Then never cart \"C1\": LineAdded", line);
    then("Then checkout \"O1\" wants order \"O1\": Confirm", "nothing is wanted");
    let twice = "Then eventually cart \"C1\": LineAdded\nAnd eventually cart \"C1\": LineAdded";
    fails(&format!("{opened}\n{twice}"), "And eventually cart \"C1\": LineAdded", line);
    let refused = "Then refused: cart.currency_mismatch {cart: GBP, price: USD}";
    let euros = opened.replace("15.00 GBP", "15.00 EUR");
    fails(&format!("{euros}\n{refused}"), refused, "refused: cart.currency_mismatch {cart: GBP, price: EUR}");
    let given = "Given cart \"C1\": RemoveLine {sku: MUG}";
    fails(&format!("{given}\n{WHEN}\n{THEN}"), given, "refused: cart.not_open");
}

#[test]
fn a_stream_is_compared_event_by_event() {
    let steps = format!(
        "{WHEN}
        Then Opened
        And eventually cart \"C1\" is exactly:
        | LineAdded | {{line: {{quantity: 1, ..}}}} |
        | Opened | |"
    );
    let report = played(&steps);
    let (_, failure) = report.played[0].failures().next().unwrap();
    assert_eq!(failure.differences, ["1. expected LineAdded, got Opened", "2. Opened is missing"]);
}

#[test]
fn what_only_a_higher_level_can_check_is_counted_as_skipped() {
    let report = played(&format!("{WHEN}\n{THEN}\nAnd the cart \"C1\" reads {{status: open, ..}}"));
    assert_eq!((report.passed(), report.skipped()), (1, 1));
    assert!(
        report.summary().starts_with("1 scenario passed, 0 failed, 1 step skipped in 0."),
        "{}",
        report.summary()
    );
}

#[test]
fn tags_choose_scenarios_and_rows() {
    let text = format!(
        "@cart\nFeature: f\n  Scenario Outline: one\n    {WHEN}\n    Then <event>\n
    Examples:\n      | event |\n      | Opened |\n
    @slow\n    Examples:\n      | event |\n      | LineAdded |\n
  @slow\n  Scenario: two\n    {WHEN}\n    {THEN}\n"
    );
    let suite = suite(&text);
    let run = |tags: &[&str]| {
        let tags: Vec<_> = tags.iter().map(ToString::to_string).collect();
        let report = Report::in_memory(&suite, &Tags::new(&tags), |_| {});
        (report.passed(), report.failed())
    };
    assert_eq!(run(&[]), (1, 1));
    assert_eq!(run(&["cart", "not:slow"]), (1, 0));
    assert_eq!(run(&["slow"]), (1, 1));
    assert_eq!(run(&["order"]), (0, 0));
}

#[test]
fn junit_holds_failures_and_skipped_steps() {
    let text = format!(
        "{}  Scenario: \"quoted\" & <odd>\n    {WHEN}\n    {THEN}\n    And the cart \"C1\" reads {{status: open, ..}}\n",
        file(&format!("{WHEN}\nThen LineAdded"))
    );
    let report = Report::in_memory(&suite(&text), &Tags::default(), |_| {});
    let read = quick_junit::Report::deserialize_from_str(&junit::xml(&report)).unwrap();
    assert_eq!((read.tests, read.failures, read.errors), (2, 1, 0));
    let [suite] = read.test_suites.as_slice() else { panic!() };
    let [failed, passed] = suite.test_cases.as_slice() else { panic!() };
    assert_eq!(suite.name.as_str(), "scenarios/a.feature");
    assert_eq!(passed.name.as_str(), "\"quoted\" & <odd>");
    assert_eq!(passed.classname.as_ref().unwrap().as_str(), "domain.scenarios.a");
    assert_eq!(
        passed.system_out.as_ref().unwrap().as_str(),
        "skipped: And the cart \"C1\" reads {status: open, ..}"
    );
    assert!(failed.time.is_some());
    let quick_junit::TestCaseStatus::NonSuccess { message, description, .. } = &failed.status else {
        panic!()
    };
    assert_eq!(message.as_ref().unwrap().as_str(), "Then LineAdded");
    assert!(
        description.as_ref().unwrap().as_str().contains("got         cart \"C1\": Opened {currency: GBP}")
    );
}

#[test]
fn junit_holds_what_is_wrong_with_files() {
    let problems = [("a/b.feature", "a/b.feature:1:1: \"x\" & y"), ("a/b.feature", "2"), ("c", "3")];
    let problems: Vec<_> = problems.iter().map(|(path, what)| (path.to_string(), what.to_string())).collect();
    let xml = junit::errors(Level::Store, &problems);
    let read = quick_junit::Report::deserialize_from_str(&xml).unwrap();
    assert_eq!((read.tests, read.failures, read.errors, read.test_suites.len()), (3, 0, 3, 2));
    let case = &read.test_suites[0].test_cases[0];
    assert_eq!(case.classname.as_ref().unwrap().as_str(), "store.a.b");
    let quick_junit::TestCaseStatus::NonSuccess { message, kind, .. } = &case.status else { panic!() };
    assert_eq!(*kind, quick_junit::NonSuccessKind::Error);
    assert_eq!(message.as_ref().unwrap().as_str(), "a/b.feature:1:1: \"x\" & y");
}

#[test]
fn what_no_then_sees_is_told_unless_it_is_excused() {
    let suite = suite(&file(&format!("{WHEN}\n{THEN}")));
    let coverage = Coverage::of(
        &suite,
        &Excuses::read("cart.empty: nobody can be that poor\ncart.Opened: is seen\n# so\n\ncart.not_open\n"),
    );
    assert!(!coverage.events.missing.contains(&"cart.Opened".to_owned()));
    assert!(coverage.events.missing.contains(&"cart.LineAdded".to_owned()));
    assert_eq!(coverage.refusals.excused, ["cart.empty"]);
    assert_eq!(coverage.idle_excuses, ["cart.Opened"]);
    assert!(coverage.wants.missing.contains(&"checkout wants order.Place".to_owned()));
    assert_eq!(coverage.no_excuses, [(5, "cart.not_open".to_owned())]);
    assert!(coverage.to_string().contains("unseen.txt:5: \"cart.not_open\" is no excuse"));
}
