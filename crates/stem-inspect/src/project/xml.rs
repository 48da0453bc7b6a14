//! XML as a tree of elements, in little memory.
//!
//! Elements, attributes and texts are positions in the document, 32 and 12 bytes for each, because a set of Ableton Live has
//! half a million of them. Entities are never resolved and a document type is never read, so that nothing outside the
//! document is looked at and nothing grows. Comments and instructions are no content.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// How deep elements may be nested.
pub(super) const MAX_DEPTH: usize = 256;
/// Elements of a document; and attributes.
const MAX_ELEMENTS: usize = 1 << 20;
/// Different names of elements and attributes.
const MAX_NAMES: usize = 1 << 16;

/// A part of the document.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Span {
    start: u32,
    end: u32,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Attribute {
    pub(super) name: u32,
    value: Span,
}

#[derive(Debug)]
pub(super) struct Element {
    pub(super) name: u32,
    /// Its attributes begin here, and end where those of the next element begin.
    attributes: u32,
    next: Option<u32>,
    first: Option<u32>,
    text: Span,
    /// Of its texts; 0 where there is none.
    pub(super) text_hash: u64,
    /// Equal for equal elements, with all that is in them.
    pub(super) hash: u64,
}

/// A document.
#[derive(Debug)]
pub(super) struct Document<'a> {
    text: &'a str,
    names: Vec<&'a str>,
    elements: Vec<Element>,
    attributes: Vec<Attribute>,
}

/// An element that is not at its end yet.
struct Open {
    element: usize,
    last: Option<usize>,
    hasher: DefaultHasher,
    texts: Option<DefaultHasher>,
}

struct Builder<'a> {
    document: Document<'a>,
    known: HashMap<&'a str, u32>,
    open: Vec<Open>,
}

/// Reads a document; `None` where it is none, or more than can be compared.
pub(super) fn parse(text: &str) -> Option<Document<'_>> {
    u32::try_from(text.len()).ok()?;
    let document = Document { text, names: Vec::new(), elements: Vec::new(), attributes: Vec::new() };
    let mut builder = Builder { document, known: HashMap::new(), open: Vec::new() };
    let mut reader = Reader::from_str(text);
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) => builder.begin(&start)?,
            Event::Empty(start) => {
                builder.begin(&start)?;
                builder.end()?;
            }
            Event::End(_) => builder.end()?,
            Event::Text(piece) => builder.text(&piece, false)?,
            Event::CData(piece) => builder.text(&piece, false)?,
            Event::GeneralRef(piece) => builder.text(&piece, true)?,
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
            Event::Eof => break,
        }
    }
    (builder.open.is_empty() && !builder.document.elements.is_empty()).then_some(builder.document)
}

impl Builder<'_> {
    fn begin(&mut self, start: &BytesStart<'_>) -> Option<()> {
        let number = self.document.elements.len();
        // A document has one root.
        if number == MAX_ELEMENTS || self.open.len() == MAX_DEPTH || self.open.is_empty() && number > 0 {
            return None;
        }
        let here = u32::try_from(number).ok();
        if let Some(parent) = self.open.last_mut() {
            match parent.last.replace(number) {
                Some(before) => self.document.elements.get_mut(before)?.next = here,
                None => self.document.elements.get_mut(parent.element)?.first = here,
            }
        }
        let mut hasher = DefaultHasher::new();
        let name = start.name();
        name.as_ref().hash(&mut hasher);
        let element = Element {
            name: self.name(name.as_ref())?,
            attributes: u32::try_from(self.document.attributes.len()).ok()?,
            next: None,
            first: None,
            text: Span::default(),
            text_hash: 0,
            hash: 0,
        };
        self.document.elements.push(element);
        let mut sum = 0_u64;
        // That no attribute is there twice is not checked: the check compares each with each.
        for attribute in start.attributes().with_checks(false) {
            let attribute = attribute.ok()?;
            if self.document.attributes.len() == MAX_ELEMENTS {
                return None;
            }
            let mut one = DefaultHasher::new();
            (attribute.key.as_ref(), attribute.value.as_ref()).hash(&mut one);
            sum = sum.wrapping_add(one.finish());
            let name = self.name(attribute.key.as_ref())?;
            let value = self.document.span(attribute.value.as_ref())?;
            self.document.attributes.push(Attribute { name, value });
        }
        // Their order is no content.
        sum.hash(&mut hasher);
        self.open.push(Open { element: number, last: None, hasher, texts: None });
        Some(())
    }

    fn end(&mut self) -> Option<()> {
        let done = self.open.pop()?;
        let element = self.document.elements.get_mut(done.element)?;
        let mut hasher = done.hasher;
        if let Some(texts) = done.texts {
            element.text_hash = texts.finish();
            element.text_hash.hash(&mut hasher);
        }
        element.hash = hasher.finish();
        if let Some(parent) = self.open.last_mut() {
            parent.hasher.write_u64(element.hash);
        }
        Some(())
    }

    fn text(&mut self, piece: &str, entity: bool) -> Option<()> {
        let Some(open) = self.open.last_mut().filter(|_| !piece.trim_ascii().is_empty()) else {
            return Some(());
        };
        let span = self.document.span(piece.trim_ascii())?;
        let element = self.document.elements.get_mut(open.element)?;
        match open.texts {
            None => element.text = span,
            // The pieces on both sides of an entity are one text.
            Some(_) if open.last.is_none() => element.text.end = span.end,
            Some(_) => {}
        }
        (entity, piece.trim_ascii()).hash(open.texts.get_or_insert_with(DefaultHasher::new));
        Some(())
    }

    fn name(&mut self, name: &str) -> Option<u32> {
        if let Some(number) = self.known.get(name) {
            return Some(*number);
        }
        let name = self.document.at(self.document.span(name)?);
        let number = self.document.names.len();
        if number == MAX_NAMES {
            return None;
        }
        let number = u32::try_from(number).ok()?;
        self.document.names.push(name);
        self.known.insert(name, number);
        Some(number)
    }
}

impl<'a> Document<'a> {
    /// Where a part of the text is; `None` where it is a copy.
    fn span(&self, part: &str) -> Option<Span> {
        let start = part.as_ptr().addr().checked_sub(self.text.as_ptr().addr())?;
        let span = Span { start: u32::try_from(start).ok()?, end: u32::try_from(start + part.len()).ok()? };
        (self.at(span) == part).then_some(span)
    }

    pub(super) fn at(&self, span: Span) -> &'a str {
        self.text.get(span.start as usize..span.end as usize).unwrap_or_default()
    }

    pub(super) fn len(&self) -> usize {
        self.elements.len()
    }

    pub(super) fn element(&self, number: usize) -> Option<&Element> {
        self.elements.get(number)
    }

    pub(super) fn name(&self, number: u32) -> &'a str {
        self.names.get(number as usize).copied().unwrap_or_default()
    }

    pub(super) fn name_of(&self, element: usize) -> &'a str {
        self.element(element).map_or("", |element| self.name(element.name))
    }

    /// The text of an element as it is written, up to its first child.
    pub(super) fn text_of(&self, element: usize) -> &'a str {
        self.element(element).map_or("", |element| self.at(element.text))
    }

    pub(super) fn attributes(&self, element: usize) -> impl Iterator<Item = (&'a str, &'a str)> {
        let from = self.element(element).map_or(0, |element| element.attributes as usize);
        let to = self.element(element + 1).map_or(self.attributes.len(), |next| next.attributes as usize);
        let all = self.attributes.get(from..to).unwrap_or_default();
        all.iter().map(|attribute| (self.name(attribute.name), self.at(attribute.value)))
    }

    pub(super) fn attribute(&self, element: usize, name: &str) -> Option<&'a str> {
        self.attributes(element).find(|(found, _)| *found == name).map(|(_, value)| value)
    }

    pub(super) fn children(&self, element: usize) -> impl Iterator<Item = usize> {
        let number = |number: u32| number as usize;
        let first = self.element(element).and_then(|element| element.first).map(number);
        std::iter::successors(first, move |&child| self.element(child)?.next.map(number))
    }

    /// The first child of that name.
    pub(super) fn child(&self, element: usize, name: &str) -> Option<usize> {
        self.children(element).find(|&child| self.name_of(child) == name)
    }

    /// The first element on a path of names.
    pub(super) fn descend(&self, from: usize, path: &[&str]) -> Option<usize> {
        path.iter().try_fold(from, |element, name| self.child(element, name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_have_their_attributes_children_and_texts() {
        let text = "<?xml version='1.0'?><!DOCTYPE a SYSTEM 'file:///etc/passwd'><a x='1' y='&lt;2'><!-- no --><b/>one &amp; two<b z='3'>t</b></a>";
        let document = parse(text).unwrap();
        assert_eq!(document.len(), 3);
        assert_eq!(document.attributes(0).collect::<Vec<_>>(), [("x", "1"), ("y", "&lt;2")]);
        assert_eq!(document.children(0).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(document.attribute(2, "z"), Some("3"));
        assert_eq!(document.text_of(2), "t");
        assert_eq!(document.attributes(1).count(), 0);
    }

    #[test]
    fn what_is_no_content_has_no_hash() {
        let hash = |text: &str| parse(text).unwrap().elements[0].hash;
        assert_eq!(hash("<a x='1' y='2'><b/></a>"), hash("<a  y=\"2\" x=\"1\">\n  <b></b><!-- c -->\n</a>"));
        assert_ne!(hash("<a><b/><c/></a>"), hash("<a><c/><b/></a>"));
        assert_ne!(hash("<a>x</a>"), hash("<a>y</a>"));
        assert_ne!(hash("<a x='1'/>"), hash("<a y='1'/>"));
        assert_ne!(hash("<a>&lt;</a>"), hash("<a>&gt;</a>"));
    }

    #[test]
    fn what_is_not_well_formed_or_too_deep_is_refused() {
        for text in ["", "text", "<a>", "<a></b>", "</a>", "<a/><b/>", "<a b></a>", "<a b=1/>"] {
            assert!(parse(text).is_none(), "{text}");
        }
        let nested = |depth: usize| [&"<a>".repeat(depth), "", &"</a>".repeat(depth)].concat();
        assert!(parse(&nested(MAX_DEPTH)).is_some());
        assert!(parse(&nested(MAX_DEPTH + 1)).is_none());
    }

    #[test]
    fn entities_do_not_grow() {
        let bomb = "<!DOCTYPE a [<!ENTITY b \"xxxxxxxxxx\"><!ENTITY c \"&b;&b;&b;\">]><a v='&c;'>&c;</a>";
        let document = parse(bomb).unwrap();
        assert_eq!(document.text_of(0), "c");
        assert_eq!(document.attribute(0, "v"), Some("&c;"));
    }
}
