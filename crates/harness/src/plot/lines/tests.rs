use super::*;

fn dots(points: &[(f64, f64)]) -> Vec<Dot> {
    points.iter().map(|&(x, y)| Dot { x, y, sd: None }).collect()
}

fn line(points: &[(f64, f64)]) -> Line {
    Line { colour: 0, stroke: Stroke::Thick, points: dots(points) }
}

fn svg(layout: Layout, lines: &[Line]) -> String {
    Chart { title: "a picture", x: "epoch", y: "error (%)", layout, lines, legend: None }.svg().unwrap()
}

fn texts(svg: &str) -> Vec<String> {
    let text = |text: &str| text.split('>').nth(1).unwrap().trim_end_matches("</text").trim().to_owned();
    svg.split("<text").skip(1).map(text).collect()
}

fn centres(svg: &str) -> Vec<(i32, i32)> {
    let number = |tag: &str, name: &str| {
        tag.split(&format!("{name}=\"")).nth(1).unwrap().split('"').next().unwrap().parse().unwrap()
    };
    svg.split("<circle").skip(1).map(|tag| (number(tag, "cx"), number(tag, "cy"))).collect()
}

#[test]
fn lines_have_their_colour_and_their_width() {
    let train = Line { stroke: Stroke::Thin, ..line(&[(1.0, 3.0), (2.0, 1.0)]) };
    let test = Line { colour: 1, ..line(&[(1.0, 4.0), (2.0, 2.0)]) };
    let svg = svg(Layout::Curves, &[train, test]);
    for (colour, width) in [("#0072B2", "2"), ("#D55E00", "4")] {
        let line = svg.lines().find(|line| line.contains("<polyline") && line.contains(colour)).unwrap();
        assert!(line.contains(&format!("stroke-width=\"{width}\"")), "{line}");
    }
    let texts = texts(&svg);
    for text in ["epoch", "error (%)", "1", "2"] {
        assert!(texts.iter().any(|found| found == text), "no {text:?} in {texts:?}");
    }
    assert!(!svg.contains("fill=\"#FFFFFF\""), "the page's own background shows through");
}

#[test]
fn a_sweep_has_dots_with_bars_and_a_tick_at_each_value() {
    let mut swept = line(&[(2.0, 1.8), (3.0, 1.6), (5.0, 1.7)]);
    swept.points[1].sd = Some(0.1);
    let svg = svg(Layout::Sweep, &[swept]);
    let texts = texts(&svg);
    for tick in ["2", "3", "5"] {
        assert!(texts.iter().any(|found| found == tick), "no {tick} in {texts:?}");
    }
    assert!(!texts.iter().any(|text| text == "4"), "{texts:?}");
    let centres = centres(&svg);
    assert_eq!(centres.len(), 3);
    assert!(centres[1].1 > centres[2].1 && centres[2].1 > centres[0].1, "smaller errors lie lower: {centres:?}");
    let (x, y) = centres[1];
    let bars: Vec<&str> =
        svg.lines().filter(|line| line.contains("<polyline") && line.contains("stroke-width=\"1\"")).collect();
    let bars: Vec<&&str> = bars.iter().filter(|line| line.contains("#0072B2")).collect();
    assert_eq!(bars.len(), 3, "a bar and its two caps: {bars:?}");
    let ends: Vec<i32> = bars[0]
        .split("points=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap()
        .split_whitespace()
        .map(|point| point.split_once(',').unwrap())
        .inspect(|(at, _)| assert_eq!(at.parse::<i32>().unwrap(), x))
        .map(|(_, y)| y.parse().unwrap())
        .collect();
    assert!((ends[0] - y).abs() - (y - ends[1]).abs() <= 1 && ends[0] > y && ends[1] < y, "{ends:?} around {y}");
}

#[test]
fn values_far_apart_stand_on_a_logarithmic_axis() {
    let svg = svg(Layout::Sweep, &[line(&[(10.0, 5.0), (100.0, 4.0), (1000.0, 3.0)])]);
    let centres = centres(&svg);
    let (left, right) = (centres[1].0 - centres[0].0, centres[2].0 - centres[1].0);
    assert!((left - right).abs() <= 1, "{centres:?}");
    let texts = texts(&svg);
    assert!(["10", "100", "1000"].iter().all(|tick| texts.iter().any(|text| text == tick)), "{texts:?}");
}

#[test]
fn shares_go_from_zero_to_a_hundred() {
    let texts = texts(&svg(Layout::Shares, &[line(&[(1.0, 5.0), (10.0, 90.0)])]));
    assert!(["0", "100"].iter().all(|end| texts.iter().any(|text| text == end)), "{texts:?}");
}

#[test]
fn published_numbers_are_triangles() {
    let published = Line { stroke: Stroke::Triangles, ..line(&[(3.0, 1.5)]) };
    let svg = svg(Layout::Sweep, &[line(&[(2.0, 1.8), (3.0, 1.6)]), published]);
    assert_eq!(svg.matches("<polygon").count(), 1);
}

#[test]
fn single_points_and_equal_errors_can_be_drawn() {
    assert_eq!(centres(&svg(Layout::Curves, &[line(&[(1.0, 2.0)])])).len(), 1);
    assert_eq!(centres(&svg(Layout::Curves, &[line(&[(1.0, 0.0)])])).len(), 1);
    assert!(centres(&svg(Layout::Sweep, &[line(&[(2.0, 0.0), (3.0, 0.0)])])).len() >= 2);
}

#[test]
fn names_of_axes_are_escaped() {
    let lines = [line(&[(1.0, 2.0)])];
    let chart = Chart { title: "", x: "<b>", y: "\"&", layout: Layout::Curves, lines: &lines, legend: None };
    let svg = chart.svg().unwrap();
    assert!(svg.contains("&lt;b&gt;") && svg.contains("&quot;&amp;") && !svg.contains("<b>"), "{svg}");
}

#[test]
fn what_cannot_be_drawn_is_said() {
    let message = |lines: &[Line]| {
        let chart = Chart { title: "this", x: "x", y: "y", layout: Layout::Sweep, lines, legend: None };
        chart.svg().unwrap_err().to_string()
    };
    assert!(message(&[]).contains("there is nothing to draw: this has no point"));
    assert!(message(&[line(&[])]).contains("this has no point"));
    assert!(message(&[line(&[(1.0, f64::NAN)])]).contains("is not finite"));
    let bar = Line { points: vec![Dot { x: 1.0, y: 1.0, sd: Some(f64::INFINITY) }], ..line(&[]) };
    assert!(message(&[bar]).contains("is not finite"));
}

#[test]
fn with_a_legend_the_chart_stands_alone() {
    let lines = [line(&[(2.0, 1.9), (3.0, 1.6)]), Line { colour: 1, ..line(&[(2.0, 1.8), (3.0, 1.7)]) }];
    let names = ["ours <b>", "theirs"];
    let (title, x, y, layout) = ("a title", "p", "error (%)", Layout::Sweep);
    let svg = Chart { title, x, y, layout, lines: &lines, legend: Some(&names) }.svg().unwrap();
    assert!(svg.contains("fill=\"#FFFFFF\""), "{svg}");
    let texts = texts(&svg);
    assert!(
        ["a title", "ours &lt;b&gt;", "theirs"].iter().all(|name| texts.iter().any(|text| text == name)),
        "{texts:?}"
    );
    for colour in ["#0072B2", "#D55E00"] {
        let keys = svg.lines().filter(|line| line.contains("<rect") && line.contains(colour));
        assert_eq!(keys.count(), 1, "{colour}: {svg}");
    }
    assert_eq!(centres(&svg).len(), 4);
}

#[test]
fn the_curves_of_a_run_have_their_last_values_in_the_legend() {
    let epoch = |epoch, train, test| Epoch { epoch, train_error_pct: train, held_out_error_pct: test };
    let both = [epoch(1, Some(4.0), Some(9.0)), epoch(2, Some(0.3), Some(1.7))];
    let svg = error_curves("mnist <1>", &both, "test", "readout epoch").unwrap();
    let found = texts(&svg);
    for text in ["mnist &lt;1&gt;", "readout epoch", "error (%)", "training (0.30 %)", "test (1.70 %)"] {
        assert!(found.iter().any(|found| found == text), "no {text:?} in {found:?}");
    }
    let svg = error_curves("x", &[epoch(1, None, Some(3.0))], "validation", "epoch").unwrap();
    assert!(!svg.contains("training") && svg.contains("validation (3.00 %)") && centres(&svg).len() == 1, "{svg}");
    let error = error_curves("x", &[epoch(3, None, None)], "test", "epoch").unwrap_err();
    assert_eq!(error.to_string(), "there is nothing to draw: x has no point");
}

#[test]
fn lines_are_cut_at_the_top_and_nowhere_else() {
    let line = [(1.0, 10.0), (2.0, 6.0), (3.0, 2.0), (4.0, 6.0), (5.0, 1.0)];
    let pieces = below(&line, 4.0);
    assert_eq!(pieces[0], [(2.5, 4.0), (3.0, 2.0), (3.5, 4.0)]);
    assert_eq!(pieces[1][1], (5.0, 1.0));
    assert_eq!(pieces.len(), 2);
    assert_eq!(below(&line, 10.0), [line.to_vec()]);
    assert!(below(&line, 0.5).is_empty());
}

#[test]
fn the_axis_ends_at_four_times_the_last_error_or_the_largest() {
    let top = |points: &[(f64, f64)]| top([points].into_iter());
    assert_eq!(top(&[(1.0, 90.0), (2.0, 2.0)]), 8.0);
    assert_eq!(top(&[(1.0, 60.0), (2.0, 48.0)]), 63.0);
    assert_eq!(top(&[(1.0, 99.0), (2.0, 98.0)]), 100.0);
    assert_eq!(top(&[(1.0, 0.0)]), 1.0);
    assert_eq!(top(&[(1.0, 2.0), (2.0, 0.0)]), 2.1);
}

#[test]
fn steps_are_round_and_inside() {
    assert_eq!(round_steps(0.0, 300.0, 6), [0.0, 50.0, 100.0, 150.0, 200.0, 250.0, 300.0]);
    assert_eq!(round_steps(1.0, 3.0, 8), [1.0, 1.5, 2.0, 2.5, 3.0]);
    assert_eq!(round_steps(0.0, 1.0, 10).len(), 11);
    assert_eq!(round_steps(2.0, 2.0, 5), [2.0]);
    for (low, high) in [(0.3, 0.9), (17.0, 1234.0), (1e-6, 3e-6)] {
        let steps = round_steps(low, high, 7);
        assert!((2..=8).contains(&steps.len()), "{low} {high}: {steps:?}");
        assert!(steps.iter().all(|step| (low..=high).contains(step)), "{low} {high}: {steps:?}");
    }
}
