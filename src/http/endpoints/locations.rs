//! `GET /api/jobs/{jobId}/locations`: the trail, a page at a time, for who takes part in the job; as JSON, GeoJSON or GPX.

use crate::http::access;
use crate::http::answer::Answer;
use crate::http::problem::Problem;
use crate::http::query::TrailQuery;
use crate::http::step::{Asked, Next, Object, Step};
use crate::ids::JobId;
use crate::locations::trail::format::Format;
use crate::locations::{JobRequest, Reply};

pub(super) fn get(asked: Asked<'_>, job: JobId) -> Next {
    let viewer = access::participant(&asked, &job)?;
    let query = TrailQuery::parse(asked.query.unwrap_or_default())?;
    let accept = (asked.head.header)("accept").unwrap_or_default();
    let format = query.format.unwrap_or_else(|| accepted(&accept));
    let (after, limit, names) = (query.after, query.limit, access::is_told_names(&asked.session));
    let asker = access::asker(&viewer);
    let request = JobRequest::Trail { job: job.clone(), after, limit, names, viewer: Some(viewer) };
    Step::call(Object::Job(job.clone()), &request, move |reply| match reply? {
        Reply::Answer(page) => answer(&job, &query, format, page),
        Reply::Refusal(refusal) => access::refuse(refusal, asker),
    })
}

fn answer(job: &JobId, query: &TrailQuery, format: Format, page: String) -> Next {
    let (body, next) = format.tell(job, page).map_err(|_| Problem::Internal)?;
    let answer = Answer::new(200, format.media_type(), body).varying("Accept");
    Ok(Step::Done(match next {
        Some(next) => {
            let format = query.format.map(|format| format!("&format={}", format.name())).unwrap_or_default();
            let limit = query.limit;
            let target = format!("/api/jobs/{job}/locations?after={next}&limit={limit}{format}");
            answer.with("link", format!("<{target}>; rel=\"next\""))
        }
        None => answer,
    }))
}

/// The format that an `Accept` header likes best (RFC 9110, 12.5.1), and the first of those; JSON, where it names none by its own name.
fn accepted(accept: &str) -> Format {
    let mut best = (0.0, Format::Json);
    for range in accept.to_ascii_lowercase().split(',') {
        let (name, parameters) = range.split_once(';').unwrap_or((range, ""));
        let format = Format::of_media_type(name.trim());
        let weight = parameters.rsplit_once("q=").map_or(Ok(1.0), |(_, weight)| weight.trim().parse());
        if let (Some(format), Ok(weight)) = (format, weight)
            && weight > best.0
        {
            best = (weight, format);
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_liked_format_is_taken() {
        for (accept, format) in [
            ("", Format::Json),
            ("*/*", Format::Json),
            ("text/html, image/png;q=0.9, */*;q=0.8", Format::Json),
            ("application/geo+json", Format::GeoJson),
            ("Application/Geo+JSON ; charset=utf-8", Format::GeoJson),
            ("application/gpx+xml, */*;q=0.1", Format::Gpx),
            ("application/json, application/gpx+xml", Format::Json),
            ("application/gpx+xml;q=0.5, application/geo+json;Q=0.6", Format::GeoJson),
            ("application/gpx+xml;q=0, application/geo+json;q=x", Format::Json),
            ("application/geo+json;q=NaN", Format::Json),
            (",;q=1,;,=", Format::Json),
        ] {
            assert_eq!(accepted(accept), format, "{accept}");
        }
    }
}
