use std::path::PathBuf;
use std::str::FromStr;

use url::Url;

/// Where artifacts are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ArtifactPlace {
    /// `file:///var/lib/buildwright/artifacts`: a folder that all machines see.
    Folder(PathBuf),
    /// `s3://bucket/prefix?endpoint=https://s3.example.com&region=eu-west-1`
    S3(S3Place),
}

/// A bucket, or a part of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Place {
    /// The bucket.
    pub bucket: String,
    /// What all keys begin with; may be empty.
    pub prefix: String,
    /// The server, if it is not Amazon's.
    pub endpoint: Option<String>,
    /// The region, if the environment does not say it.
    pub region: Option<String>,
}

/// Why a text says of no place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    /// No URL at all.
    #[error("not a URL: {0}")]
    NoUrl(#[from] url::ParseError),
    /// Another scheme.
    #[error("artifacts are kept under file:// or s3://, not {0}://")]
    Scheme(String),
    /// `file://` with a host, or without a path.
    #[error("file:// needs an absolute path, as in file:///var/lib/buildwright/artifacts")]
    NoPath,
    /// `s3://` without a bucket.
    #[error("s3:// needs a bucket, as in s3://bucket/prefix")]
    NoBucket,
    /// Something that looks like credentials: URLs end up in logs.
    #[error("credentials belong into the AWS_* environment variables, not into a URL")]
    Credentials,
    /// A setting that there is none of.
    #[error("there is no setting {0:?}; there are endpoint and region")]
    Setting(String),
    /// The endpoint is no URL of a server.
    #[error("the endpoint must be an http:// or https:// URL")]
    Endpoint,
}

impl FromStr for ArtifactPlace {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let url = Url::parse(text)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(PlaceError::Credentials);
        }
        match url.scheme() {
            "file" => match url.to_file_path() {
                Ok(path) if path.parent().is_some() && url.query().is_none() => Ok(Self::Folder(path)),
                _ => Err(PlaceError::NoPath),
            },
            "s3" => S3Place::of(&url).map(Self::S3),
            other => Err(PlaceError::Scheme(other.to_owned())),
        }
    }
}

impl S3Place {
    fn of(url: &Url) -> Result<Self, PlaceError> {
        let bucket = url.host_str().filter(|host| !host.is_empty()).ok_or(PlaceError::NoBucket)?;
        let prefix = url.path().trim_matches('/').to_owned();
        let mut place = Self { bucket: bucket.to_owned(), prefix, endpoint: None, region: None };
        for (name, value) in url.query_pairs() {
            match &*name {
                "endpoint" => place.endpoint = Some(endpoint(&value)?),
                "region" => place.region = Some(value.into_owned()),
                other => return Err(PlaceError::Setting(other.to_owned())),
            }
        }
        Ok(place)
    }
}

fn endpoint(text: &str) -> Result<String, PlaceError> {
    let url = Url::parse(text).map_err(|_| PlaceError::Endpoint)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(PlaceError::Credentials);
    }
    if matches!(url.scheme(), "http" | "https") && url.has_host() {
        Ok(text.trim_end_matches('/').to_owned())
    } else {
        Err(PlaceError::Endpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_where_artifacts_are() {
        assert_eq!("file:///srv/a".parse(), Ok(ArtifactPlace::Folder("/srv/a".into())));
        let amazon = S3Place {
            bucket: "shop".into(),
            prefix: "build/wright".into(),
            endpoint: None,
            region: Some("eu-west-1".into()),
        };
        let parsed: ArtifactPlace = "s3://shop/build/wright/?region=eu-west-1".parse().unwrap();
        assert_eq!(parsed, ArtifactPlace::S3(amazon));
        let parsed: ArtifactPlace = "s3://shop?endpoint=http://localhost:9000/".parse().unwrap();
        let ArtifactPlace::S3(own) = parsed else { panic!("{parsed:?}") };
        assert_eq!((own.prefix.as_str(), own.endpoint.as_deref()), ("", Some("http://localhost:9000")));
    }

    #[test]
    fn what_is_wrong_with_a_url_is_said() {
        for (text, why) in [
            ("ftp://host/x", PlaceError::Scheme("ftp".into())),
            ("file://host/x", PlaceError::NoPath),
            ("file:///", PlaceError::NoPath),
            ("s3:///x", PlaceError::NoBucket),
            ("s3://key:secret@bucket", PlaceError::Credentials),
            ("s3://bucket?endpoint=http://key:secret@host", PlaceError::Credentials),
            ("s3://bucket?endpoint=host", PlaceError::Endpoint),
            ("s3://bucket?secret=x", PlaceError::Setting("secret".into())),
        ] {
            assert_eq!(text.parse::<ArtifactPlace>(), Err(why), "{text}");
        }
        assert!(matches!("here".parse::<ArtifactPlace>(), Err(PlaceError::NoUrl(_))));
    }
}
