//! `Link` (RFC 8288): where the pages of a list are, relative to where one was asked for.

use crate::errors::Fault;
use http::{HeaderValue, Uri};

/// The links of a page: to the next, whose place is given by a parameter and its value, if there is one, and to
/// the first.
pub(crate) fn links(uri: &Uri, place: &str, next: Option<&str>) -> Result<HeaderValue, Fault> {
    let path = uri.path();
    let pairs = uri.query().unwrap_or_default().split('&');
    let is_place = |pair: &&str| pair.split('=').next() == Some(place);
    let kept: Vec<&str> = pairs.filter(|pair| !pair.is_empty() && !is_place(pair)).collect();
    let target = |pairs: &[&str]| match pairs {
        [] => path.to_owned(),
        pairs => format!("{path}?{}", pairs.join("&")),
    };
    let first = format!("<{}>; rel=\"first\"", target(&kept));
    let text = match next {
        Some(value) => {
            let here = format!("{place}={value}");
            let pairs: Vec<&str> = kept.iter().copied().chain([here.as_str()]).collect();
            format!("<{}>; rel=\"next\", {first}", target(&pairs))
        }
        None => first,
    };
    HeaderValue::try_from(text).map_err(Fault::internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_the_same_question_at_another_place() {
        let link = |uri: &str, next| links(&uri.parse().unwrap(), "after", next).unwrap();
        assert_eq!(
            link("/v1/events?limit=2&after=5&follow=false", Some("7")),
            "</v1/events?limit=2&follow=false&after=7>; rel=\"next\", </v1/events?limit=2&follow=false>; rel=\"first\""
        );
        assert_eq!(link("/v1/events?after=5", None), "</v1/events>; rel=\"first\"");
    }
}
