//! Places for the names of points, so that no name covers another name or a point.
//!
//! Greedy, in the order of the points: beside the point first, then further away with a line that leads to it. An exact
//! solution is NP-hard and not needed for some dozens of points; a name for which there is no room at all is left
//! out: the table has it.

/// A rectangle of pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rect {
    pub(super) left: i32,
    pub(super) top: i32,
    pub(super) right: i32,
    pub(super) bottom: i32,
}

impl Rect {
    fn meets(&self, other: &Self) -> bool {
        self.left < other.right
            && other.left < self.right
            && self.top < other.bottom
            && other.top < self.bottom
    }

    fn within(&self, other: &Self) -> bool {
        self.left >= other.left
            && self.right <= other.right
            && self.top >= other.top
            && self.bottom <= other.bottom
    }

    /// The point of it that is nearest to `point`.
    pub(super) fn nearest(&self, point: (i32, i32)) -> (i32, i32) {
        (point.0.clamp(self.left, self.right), point.1.clamp(self.top, self.bottom))
    }
}

/// Where a name stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Placed {
    pub(super) place: Rect,
    /// Whether it is so far away that a line must lead to the point.
    pub(super) led: bool,
}

/// Half of the side of the square that a point takes.
const POINT: i32 = 8;
/// Between a point and its name.
const GAP: i32 = 3;

/// A place for each of `names`, which are the pixel of the point, and the width of the name. `taken` are places where no
/// name may stand.
pub(super) fn place(
    names: &[((i32, i32), i32)],
    height: i32,
    bounds: Rect,
    taken: &[Rect],
) -> Vec<Option<Placed>> {
    let mut taken: Vec<Rect> = names
        .iter()
        .map(|((x, y), _)| Rect { left: x - POINT, top: y - POINT, right: x + POINT, bottom: y + POINT })
        .chain(taken.iter().copied())
        .collect();
    names
        .iter()
        .map(|&(point, width)| {
            let free = |rect: &Rect| rect.within(&bounds) && !taken.iter().any(|other| other.meets(rect));
            let placed = candidates(point, width, height).find(|placed| free(&placed.place))?;
            taken.push(placed.place);
            Some(placed)
        })
        .collect()
}

fn candidates((x, y): (i32, i32), width: i32, height: i32) -> impl Iterator<Item = Placed> {
    let rect = move |left: i32, top: i32| Rect { left, top, right: left + width, bottom: top + height };
    let away = POINT + GAP;
    let beside = [
        rect(x + away, y - height / 2),
        rect(x - away - width, y - height / 2),
        rect(x - width / 2, y - away - height),
        rect(x - width / 2, y + away),
        rect(x + away / 2, y - away - height),
        rect(x + away / 2, y + away),
        rect(x - away / 2 - width, y - away - height),
        rect(x - away / 2 - width, y + away),
    ];
    let further = (1..=8).flat_map(move |ring| {
        let far = away + ring * height * 3 / 4;
        [
            rect(x + away, y - far - height / 2),
            rect(x + away, y + far - height / 2),
            rect(x - away - width, y - far - height / 2),
            rect(x - away - width, y + far - height / 2),
            rect(x - width / 2, y - far - height),
            rect(x - width / 2, y + far),
            rect(x + far, y - height / 2),
            rect(x - far - width, y - height / 2),
        ]
    });
    beside
        .into_iter()
        .map(|place| Placed { place, led: false })
        .chain(further.map(|place| Placed { place, led: true }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Rect = Rect { left: 50, top: 10, right: 450, bottom: 330 };

    fn check(names: &[((i32, i32), i32)]) -> usize {
        let placed = place(names, 16, BOUNDS, &[]);
        for (index, one) in placed.iter().enumerate() {
            let Some(one) = one else { continue };
            assert!(one.place.within(&BOUNDS));
            for other in placed.iter().skip(index + 1).flatten() {
                assert!(!one.place.meets(&other.place), "{one:?} covers {other:?}");
            }
            for ((x, y), _) in names {
                let point = Rect { left: x - 5, top: y - 5, right: x + 5, bottom: y + 5 };
                assert!(!one.place.meets(&point), "{one:?} covers the point {x}, {y}");
            }
        }
        placed.iter().flatten().count()
    }

    #[test]
    fn names_do_not_collide() {
        assert_eq!(check(&[((200, 200), 90), ((205, 202), 90), ((200, 205), 120), ((210, 190), 60)]), 4);
        // In the corners, and on one spot.
        assert_eq!(check(&[((50, 10), 90), ((450, 330), 90), ((450, 10), 90), ((50, 330), 90)]), 4);
        assert_eq!(check(&[((250, 160), 100); 8]), 8);
        // More than there is room for: those that are there do not collide.
        let many: Vec<_> = (0..60).map(|i| ((60 + i * 37 % 380, 20 + i * 53 % 300), 70)).collect();
        let placed = check(&many);
        assert!((10..60).contains(&placed), "{placed}");
        assert_eq!(check(&[((250, 160), 1000)]), 0);
    }
}
