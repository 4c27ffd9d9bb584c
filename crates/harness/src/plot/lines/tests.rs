use super::*;

fn dots(points: &[(f64, f64)]) -> Vec<Dot> {
    points.iter().map(|&(x, y)| Dot { x, y, spread: None }).collect()
}

fn line(points: &[(f64, f64)]) -> Line {
    Line { colour: 0, stroke: Stroke::Thick, points: dots(points) }
}

fn svg(layout: Layout, lines: &[Line]) -> String {
    Chart { description: "a picture", x: "epoch", y: "error (%)", layout, lines, legend: None }.svg().unwrap()
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
    swept.points[1].spread = Some(0.1);
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
    let chart = Chart { description: "", x: "<b>", y: "\"&", layout: Layout::Curves, lines: &lines, legend: None };
    let svg = chart.svg().unwrap();
    assert!(svg.contains("&lt;b&gt;") && svg.contains("&quot;&amp;") && !svg.contains("<b>"), "{svg}");
}

#[test]
fn what_cannot_be_drawn_is_said() {
    let message = |lines: &[Line]| {
        let chart = Chart { description: "this", x: "x", y: "y", layout: Layout::Sweep, lines, legend: None };
        chart.svg().unwrap_err().to_string()
    };
    assert!(message(&[]).contains("plot, this, expected at least one point, found none"));
    assert!(message(&[line(&[])]).contains("found none"));
    assert!(message(&[line(&[(1.0, f64::NAN)])]).contains("expected finite numbers, found"));
    let bar = Line { points: vec![Dot { x: 1.0, y: 1.0, spread: Some(f64::INFINITY) }], ..line(&[]) };
    assert!(message(&[bar]).contains("expected finite numbers, found"));
}

#[test]
fn with_a_legend_the_chart_stands_alone() {
    let lines = [line(&[(2.0, 1.9), (3.0, 1.6)]), Line { colour: 1, ..line(&[(2.0, 1.8), (3.0, 1.7)]) }];
    let names = ["ours <b>", "theirs"];
    let (description, x, y, layout) = ("", "p", "error (%)", Layout::Sweep);
    let svg = Chart { description, x, y, layout, lines: &lines, legend: Some(&names) }.svg().unwrap();
    assert!(svg.contains("fill=\"#FFFFFF\""), "{svg}");
    let texts = texts(&svg);
    assert!(["ours &lt;b&gt;", "theirs"].iter().all(|name| texts.iter().any(|text| text == name)), "{texts:?}");
    for colour in ["#0072B2", "#D55E00"] {
        let keys = svg.lines().filter(|line| line.contains("<rect") && line.contains(colour));
        assert_eq!(keys.count(), 1, "{colour}: {svg}");
    }
    assert_eq!(centres(&svg).len(), 4);
}
